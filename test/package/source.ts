import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface Import {
  /** As written: `./x.ts`, `node:net`, `pino`. */ readonly specifier: string
  /** From the checkout's folder, of what `./` and `../` name; the specifier for everything else. */ readonly target: string
  /** Erased when compiled. `import { type X }` is not: the module is still loaded. */ readonly typeOnly: boolean
}

export interface SourceFile {
  /** From the checkout's folder, with `/`. */ readonly path: string
  readonly text: string
  readonly imports: readonly Import[]
}

/** The TypeScript and JavaScript files of a folder, without what npm put there. */
export function sourceFiles(folder: string): SourceFile[] {
  return filesIn(folder)
    .filter((path) => /\.(?:ts|mts|js|mjs)$/.test(path))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8')
      return { path, text, imports: importsOf(path, text) }
    })
}

export function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (!entry.isDirectory()) return [path]
      return entry.name === 'node_modules' ? [] : filesIn(path)
    })
    .toSorted()
}

/** Imports as the formatter writes them: statements at the start of a line, and `import()` anywhere. */
export function importsOf(path: string, text: string): Import[] {
  const statement = /^(?:import|export)\s+(type\s)?(?:[^'"`;=()]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
  const found: Import[] = []
  for (const [, type, specifier = ''] of text.matchAll(statement))
    found.push({ specifier, target: resolve(path, specifier), typeOnly: type !== undefined })
  for (const [, specifier = ''] of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g))
    found.push({ specifier, target: resolve(path, specifier), typeOnly: false })
  return found
}

function resolve(path: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(path), specifier)) : specifier
}

/** The lines of code: comments left out, and what stands in quotes. */
export function codeLines(text: string): { readonly number: number; readonly code: string }[] {
  return text
    .split('\n')
    .map((line, index) => ({ number: index + 1, code: line.replaceAll(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''").replace(/(?:^|\s)\/\/.*$/, '') }))
    .filter(({ code }) => code.trim() !== '' && !/^\s*(?:\*|\/\*)/.test(code))
}
