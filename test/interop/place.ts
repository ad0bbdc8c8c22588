import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeAuthority, type KeyedCertificate } from '../support/certificates.ts'
import { environment, isOpen, makeFolder, stop, until, write, type Ids } from './processes.ts'

/** Where `.ci/servers` put the roots. */
const ROOTS = process.env['WIREPOST_SERVERS'] ?? join(import.meta.dirname, '..', '..', '.build', 'servers')

export const USER = 'u1'
export const PASSWORD = 'pw-1'
/** Who owns the mailboxes. */ export const OWNER: Ids = { uid: 7001, gid: 8 }
/** Whom servers in a root run as. */ export const SERVICE: Ids = { uid: 7002, gid: 8 }
export const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

export function missing(name: string): { missing?: string } {
  return existsSync(join(ROOTS, name)) ? {} : { missing: `there is no root of ${name}; .ci/run makes it` }
}

/** The folder of one server with what it needs to be ended. */
export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'wirepost-interop-'))
  readonly authority = makeAuthority({ keyType: 'rsa' })
  readonly certificate: KeyedCertificate = this.authority.issue({
    commonName: 'mail.example.test',
    names: ['localhost', '127.0.0.1'],
    keyType: 'rsa',
  })
  readonly ends: (() => Promise<void> | void)[] = []
  readonly #children: ChildProcess[] = []
  readonly #output: string[] = []

  constructor() {
    chmodSync(this.folder, 0o755)
  }

  /** A copy of a root, in which the server runs as one of `services`: it has its own users and can change nothing outside. */
  root(name: string, services: readonly string[] = [name]): string {
    const root = join(this.folder, 'root')
    this.run('cp', ['-a', '--reflink=auto', join(ROOTS, name), root]) // with its device nodes
    const crypted = '$6$wirepost$oDPgytKPP5CXd7nDCnyZvW43Dkuo1zhp004ZD1rY3tnqx8UwCkSBfvp8KVj.keH2ScZmDNAcQxQwp8v71i0vE0' // of PASSWORD
    const users: readonly (readonly [name: string, uid: number, gid: number, home: string])[] = [
      ['root', 0, 0, '/root'],
      [USER, OWNER.uid, OWNER.gid, `/home/${USER}`],
      ...services.map((service, at) => [service, SERVICE.uid + at, SERVICE.gid, '/nonexistent'] as const),
    ]
    write(join(root, 'etc'), 'passwd', users.map(([user, uid, gid, home]) => `${user}:x:${uid}:${gid}::${home}:/bin/sh\n`).join(''))
    write(join(root, 'etc'), 'shadow', users.map(([user]) => `${user}:${user === USER ? crypted : '*'}:19000:0:99999:7:::\n`).join(''))
    write(join(root, 'etc'), 'group', `root:x:0:\nmail:x:8:\n${services.map((service, at) => `${service}:x:${SERVICE.uid + at}:\n`).join('')}`)
    write(join(root, 'etc'), 'hosts', '127.0.0.1 mail.example.test localhost\n')
    write(join(root, 'etc'), 'nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n')
    makeFolder(root, 'etc/pam.d')
    for (const service of ['pop3', 'popa3d', 'gnu-pop3d', 'other'])
      write(join(root, 'etc', 'pam.d'), service, 'auth required pam_unix.so nodelay\naccount required pam_unix.so\n')
    makeFolder(root, `home/${USER}`, OWNER)
    makeFolder(root, 'var/mail')
    chmodSync(join(root, 'var', 'mail'), 0o1777)
    write(root, 'server.pem', this.certificate.cert + this.certificate.key)
    this.ends.push(() => endAllIn(root))
    return root
  }

  /** Runs until the place is closed. */
  start(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv = environment()): void {
    const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void this.#output.push(chunk.toString('latin1')))
    child.on('error', (error) => void this.#output.push(String(error)))
    this.#children.push(child)
    this.ends.push(() => stop(child))
  }

  run(command: string, parameters: readonly string[], input = ''): void {
    const done = spawnSync(command, parameters, { input, env: environment(), encoding: 'utf8', timeout: 30_000 })
    this.#output.push(`${command} ${parameters.join(' ')}: ${done.status ?? String(done.error)}\n`, done.stdout, done.stderr)
    if (done.status !== 0) throw new Error(this.log())
  }

  /** A listener that starts one process a connection, as inetd does, with the connection as its standard input and output. */
  async inetd(command: string, parameters: readonly string[]): Promise<number> {
    const connections = new Set<Socket>()
    const children = new Set<ChildProcess>()
    const listener = createServer({ allowHalfOpen: true }, (connection) => {
      const child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'pipe'], env: environment() })
      children.add(child)
      connections.add(connection)
      connection.once('close', () => connections.delete(connection))
      connection.on('error', () => child.stdin.destroy())
      child.stdin.on('error', () => {})
      child.stderr.on('data', (chunk: Buffer) => void this.#output.push(chunk.toString('latin1')))
      child.once('error', (error) => {
        this.#output.push(String(error))
        connection.destroy()
      })
      child.once('close', () => children.delete(child))
      connection.pipe(child.stdin)
      child.stdout.pipe(connection)
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    this.ends.push(async () => {
      listener.close()
      for (const connection of connections) connection.destroy()
      await Promise.all([...children].map(stop))
    })
    const address = listener.address()
    return address === null || typeof address === 'string' ? 0 : address.port
  }

  async open(ports: readonly number[]): Promise<void> {
    for (const port of ports) await this.until(`port ${port}`, () => isOpen(port))
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const holdsOrOver = async (): Promise<boolean> => this.#children.some(({ exitCode }) => exitCode !== null) || (await holds())
    await until(what, holdsOrOver, () => this.log())
    if (!(await holds())) throw new Error(`${what} did not come about: a process ended`)
  }

  log(): string {
    return this.#output.join('')
  }

  async close(): Promise<void> {
    for (const end of this.ends.splice(0).toReversed()) await end()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Servers leave connections and deliveries to processes of their own, which outlive them. */
function endAllIn(root: string): void {
  for (const pid of readdirSync('/proc').map(Number)) {
    try {
      if (pid > 0 && readlinkSync(`/proc/${pid}/root`) === root) process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}

/** What a server offers, and its log and its end with it. Ends what was begun when the beginning fails. */
export async function inPlace<T extends object>(
  start: (place: Place) => Promise<T & { log?: () => string }>,
): Promise<T & { readonly log: () => string; readonly close: () => Promise<void> }> {
  const place = new Place()
  try {
    const started = await start(place)
    return { ...started, log: () => place.log() + (started.log?.() ?? ''), close: () => place.close() }
  } catch (error) {
    const log = place.log()
    await place.close()
    throw new Error(`the server did not start: ${log}`, { cause: error })
  }
}

/** Text with another line end, also at its end. */
export function lineEnds(octets: Buffer, end: string): Buffer {
  const text = octets.toString('latin1').replaceAll(/\r?\n/g, end)
  return Buffer.from(text.endsWith(end) || text === '' ? text : text + end, 'latin1')
}
