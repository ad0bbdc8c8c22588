import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { inPlace, lineEnds, missing, OWNER, PASSWORD, PATH, SERVICE, USER, type Place } from './place.ts'
import { freePorts, listIfThere, makeFolder, readIfThere, until, write } from './processes.ts'
import { startRealServers } from './real-servers.ts'

/** A real SMTP server for example.test, in a folder of its own. It takes mail for u1, u2, u3 and, with SMTPUTF8, for jürgen, who is u1; temp@ is
 *  answered with 450, perm@ with 550, drop@ with 421 and the end of the connection. */
export interface SmtpServer {
  readonly ports: { readonly clear: number; readonly tls?: number }
  readonly ca: string
  readonly user: string
  readonly password: string
  /** Settles when `count` messages are stored, of all users together. */
  delivered(count: number): Promise<void>
  /** What is stored for a user, in no order: with CRLF line ends, and without the fields that the server put in front. */
  kept(user: string): readonly Buffer[]
  /** Those fields. */ traces(user: string): readonly string[]
  empty(): void
  /** What it logged, for a test that failed. */ log(): string
  close(): Promise<void>
}

export const USERS = ['u1', 'u2', 'u3'] as const

interface Entry {
  /** @param sizeLimit octets of a message */ readonly start: (sizeLimit: number) => Promise<SmtpServer>
  readonly missing?: string
}

export const SMTP_SERVERS: Readonly<Record<string, Entry>> = {
  postfix: { start: startPostfix, ...(existsSync('/usr/sbin/postfix') ? {} : { missing: 'postfix is not installed' }) },
  exim: { start: startExim, ...missing('exim') },
  opensmtpd: { start: startOpenSmtpd, ...missing('opensmtpd') },
  aiosmtpd: {
    start: startAiosmtpd,
    ...(existsSync('/usr/lib/python3/dist-packages/aiosmtpd') ? {} : { missing: 'python3-aiosmtpd is not installed' }),
  },
}

/** Fields that servers put in front of what they were given. The messages of the tests begin with another. */
const TRACE = /^(?:(?:return-path|x-original-to|delivered-to|received|envelope-to|delivery-date|x-peer|x-mailfrom|x-rcptto):.*\r\n(?:[ \t].*\r\n)*)+/i

type Store = Pick<SmtpServer, 'delivered' | 'kept' | 'traces' | 'empty'>

/** @param maildirs the folder with one maildir a user */
function store(maildirs: string, log: () => string): Store {
  const files = (user: string): string[] =>
    ['new', 'cur'].flatMap((name) => listIfThere(join(maildirs, user, name)).map((file) => join(maildirs, user, name, file)))
  const count = (): number => USERS.reduce((sum, user) => sum + files(user).length, 0)
  const stored = (user: string): { trace: string; content: Buffer }[] =>
    files(user).map((file) => {
      const octets = lineEnds(readFileSync(file), '\r\n')
      const trace = TRACE.exec(octets.toString('latin1', 0, 8192))?.[0] ?? ''
      return { trace, content: octets.subarray(trace.length) }
    })
  return {
    delivered: (wanted) => until(`${wanted} messages`, () => Promise.resolve(count() >= wanted), log),
    kept: (user) => stored(user).map(({ content }) => content),
    traces: (user) => stored(user).map(({ trace }) => trace),
    empty: () => USERS.flatMap(files).forEach((file) => rmSync(file)),
  }
}

export async function startPostfix(sizeLimit: number): Promise<SmtpServer> {
  const servers = await startRealServers(sizeLimit)
  const { starttls: clear, tls } = servers.smtp
  return { ...servers, ports: { clear, tls }, ...store(servers.maildirs, () => servers.log()) }
}

type Started = Pick<SmtpServer, 'ports'> & { readonly maildirs: string; readonly log: () => string }

function begin(start: (place: Place) => Promise<Started>): Promise<SmtpServer> {
  return inPlace(async (place) => {
    const { ports, maildirs, log } = await start(place)
    return { ports, ca: place.authority.cert, user: USER, password: PASSWORD, ...store(maildirs, () => place.log() + log()), log }
  })
}

export function startExim(sizeLimit: number): Promise<SmtpServer> {
  return begin(async (place) => {
    const [clear = 0, tls = 0] = await freePorts(2)
    const root = place.root('exim', ['Debian-exim'])
    for (const name of ['var/spool/exim4', 'var/log/exim4', 'run/exim4']) makeFolder(root, name, SERVICE)
    const maildirs = makeFolder(root, 'mail', OWNER)
    // Where Debian's program looks. A file named on the command line would cost it the right to deliver as somebody else.
    write(join(root, 'etc', 'exim4'), 'exim4.conf', eximConfiguration(clear, tls, sizeLimit))
    write(join(root, 'etc', 'exim4'), 'users', 'u1: u1\nu2: u2\nu3: u3\njürgen: u1\n') // what a look-up gives is not tainted
    place.start('chroot', [root, '/usr/sbin/exim4', '-bdf', '-q1m'], { PATH })
    await place.open([clear, tls])
    const log = (): string => ['mainlog', 'rejectlog', 'paniclog'].map((name) => readIfThere(join(root, 'var', 'log', 'exim4', name))).join('\n')
    return { ports: { clear, tls }, maildirs, log }
  })
}

function eximConfiguration(clear: number, tls: number, sizeLimit: number): string {
  return `
primary_hostname = mail.example.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${clear} : ${tls}
tls_on_connect_ports = ${tls}
disable_ipv6 = true
tls_advertise_hosts = *
tls_certificate = /server.pem
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
smtp_accept_queue_per_connection = 0
smtp_accept_max = 50
queue_run_max = 5
host_lookup =
rfc1413_hosts =
message_size_limit = ${sizeLimit}
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
keep_environment =
begin acl
rcpt:
  defer local_parts = temp
        message = 450 4.2.1 try later
  deny  local_parts = perm
        message = 5.1.1 no such user
  defer local_parts = drop
        message = 421 4.3.2 going away
  accept domains = example.test
         local_parts = lsearch;/etc/exim4/users
  accept authenticated = *
  deny  message = relay not permitted
begin routers
local:
  driver = accept
  domains = example.test
  local_parts = lsearch;/etc/exim4/users
  transport = maildir
elsewhere:
  driver = redirect
  data = :blackhole:
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /mail/$local_part_data
  create_directory
  user = ${OWNER.uid}
  group = ${OWNER.gid}
  envelope_to_add
  return_path_add
begin retry
* * F,1h,5m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{${USER}}}{eq{$auth3}{${PASSWORD}}}}}
  server_set_id = $auth2
  server_advertise_condition = \${if def:tls_in_cipher}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{$auth1}{${USER}}}{eq{$auth2}{${PASSWORD}}}}}
  server_set_id = $auth1
  server_advertise_condition = \${if def:tls_in_cipher}
`
}

/** In the clear only: 6.8 of Debian 12 fails every TLS handshake with OpenSSL 3, and it has no AUTH without TLS. */
export function startOpenSmtpd(sizeLimit: number): Promise<SmtpServer> {
  return begin(async (place) => {
    const [clear = 0] = await freePorts(1)
    const root = place.root('opensmtpd', ['opensmtpd', 'opensmtpq'])
    makeFolder(root, 'var/spool')
    makeFolder(root, 'var/lib/opensmtpd/empty')
    const maildirs = makeFolder(root, 'mail', OWNER)
    write(join(root, 'etc'), 'aliases', '')
    write(
      join(root, 'etc'),
      'smtpd.conf',
      `
table users { "u1" = "${USER}", "u2" = "${USER}", "u3" = "${USER}" }
smtp max-message-size "${sizeLimit}"
filter "temp" phase rcpt-to match rcpt-to { "temp@example.test" } reject "450 4.2.1 try later"
filter "perm" phase rcpt-to match rcpt-to { "perm@example.test" } reject "550 5.1.1 no such user"
filter "drop" phase rcpt-to match rcpt-to { "drop@example.test" } disconnect "421 4.3.2 going away"
filter "all" chain { "temp", "perm", "drop" }
listen on 127.0.0.1 port ${clear} hostname mail.example.test filter "all"
action "store" maildir "/mail/%{rcpt.user}" virtual <users>
match from any for domain "example.test" action "store"
`,
    )
    place.start('chroot', [root, '/usr/sbin/smtpd', '-d'], { PATH })
    await place.open([clear])
    return { ports: { clear }, maildirs, log: () => '' }
  })
}

export function startAiosmtpd(sizeLimit: number): Promise<SmtpServer> {
  return begin(async (place) => {
    const { folder } = place
    const [clear = 0, tls = 0] = await freePorts(2)
    const maildirs = makeFolder(folder, 'mail')
    const pem = write(folder, 'server.pem', place.certificate.cert + place.certificate.key)
    const program = join(import.meta.dirname, 'aiosmtpd-server.py')
    place.start('/usr/bin/python3', [program, maildirs, pem, String(clear), String(tls), String(sizeLimit)], { PATH, PYTHONDONTWRITEBYTECODE: '1' })
    await place.open([clear, tls])
    return { ports: { clear, tls }, maildirs, log: () => '' }
  })
}
