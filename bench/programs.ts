import { spawnSync } from 'node:child_process'

/** For `Subject.missing`: whether a program can be started. */
export function needs(program: string): () => string | undefined {
  return () => (spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined ? undefined : `${program} is not installed`)
}
