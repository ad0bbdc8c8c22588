import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { dovecotConfiguration } from './dovecot.ts'
import { inPlace, lineEnds, missing, OWNER, PASSWORD, PATH, SERVICE, USER, type Place } from './place.ts'
import { freePorts, makeFolder, readIfThere, write, type Ids } from './processes.ts'

/** A real POP3 server with one empty mailbox, in a folder of its own. */
export interface Pop3Server {
  readonly ports: { readonly plain: number; readonly tls?: number }
  /** Announces STLS on the plain port. */ readonly stls: boolean
  readonly ca: string
  readonly user: string
  readonly password: string
  /** Puts messages into the mailbox, behind those that are there. Each is content as it would be retrieved: lines end with CRLF. */
  deliver(messages: readonly Buffer[]): Promise<void>
  /** What it keeps, in the order of its listing, with CRLF line ends. */
  kept(): readonly Buffer[]
  /** Retrieved content without what this server adds only on the way out. */
  plain(content: Buffer): Buffer
  /** What it logged, for a test that failed. */ log(): string
  close(): Promise<void>
}

export const POP3_SERVERS: Readonly<Record<string, { readonly start: () => Promise<Pop3Server>; readonly missing?: string }>> = {
  dovecot: { start: startDovecot, ...(existsSync('/usr/sbin/dovecot') ? {} : { missing: 'dovecot is not installed' }) },
  courier: { start: startCourier, ...missing('courier') },
  cyrus: { start: startCyrus, ...missing('cyrus') },
  mailutils: { start: startMailutils, ...missing('mailutils') },
  popa3d: { start: startPopa3d, ...missing('popa3d') },
}

type Rest = Omit<Pop3Server, 'ca' | 'user' | 'password' | 'log' | 'close'>

const begin = (start: (place: Place) => Promise<Rest & { log?: () => string }>): Promise<Pop3Server> =>
  inPlace(async (place) => ({ ...(await start(place)), ca: place.authority.cert, user: USER, password: PASSWORD }))

type Mailbox = Pick<Pop3Server, 'deliver' | 'kept'>

/** Writes messages into a maildir as files; their names are in the order of delivery. */
function maildir(folder: string, owner: Ids, line: (content: Buffer) => Buffer): Mailbox {
  for (const name of ['', 'new', 'cur', 'tmp']) chmodSync(makeFolder(folder, name, owner), 0o700)
  let count = 0
  return {
    deliver(messages) {
      for (const message of messages) {
        const file = join(folder, 'new', `${1_600_000_000 + count}.M${count}P1.mail`)
        count++
        writeFileSync(file, line(message), { mode: 0o600 })
        chownSync(file, owner.uid, owner.gid)
      }
      return Promise.resolve()
    },
    kept: () =>
      ['new', 'cur']
        .flatMap((name) => readdirSync(join(folder, name)).map((file) => join(folder, name, file)))
        .toSorted((a, b) => (a.slice(a.lastIndexOf('/')) < b.slice(b.lastIndexOf('/')) ? -1 : 1))
        .map((file) => lineEnds(readFileSync(file), '\r\n')),
  }
}

/** Writes messages into an mbox. What lies between two `From ` lines behind an empty line is a message. */
function mbox(file: string, owner: Ids): Mailbox {
  writeFileSync(file, '', { mode: 0o600 })
  chownSync(file, owner.uid, owner.gid)
  return {
    deliver(messages) {
      const old = readFileSync(file)
      const next = messages.map((message) => {
        const text = lineEnds(message, '\n').toString('latin1')
        return `From sender@example.test Sun Nov 22 10:00:00 2026\n${text.replaceAll(/^(>*From )/gm, '>$1')}\n`
      })
      writeFileSync(file, Buffer.concat([old, Buffer.from(next.join(''), 'latin1')]))
      return Promise.resolve()
    },
    kept: () =>
      readFileSync(file, 'latin1')
        .split(/^From sender@.*\n/m)
        .slice(1)
        .map((text) => lineEnds(Buffer.from(text.slice(0, -1), 'latin1'), '\r\n')),
  }
}

export function startDovecot(): Promise<Pop3Server> {
  return begin(async (place) => {
    const [plain = 0, tls = 0] = await freePorts(2)
    const { folder } = place
    makeFolder(folder, 'run')
    makeFolder(folder, 'state')
    write(folder, 'users', `${USER}:{PLAIN}${PASSWORD}::::::\n`)
    const box = makeFolder(folder, 'mail', OWNER)
    const certificate = write(folder, 'server.pem', place.certificate.cert)
    const key = write(folder, 'server.key', place.certificate.key)
    const more = 'mail_max_lock_timeout = 1s\n'
    const configuration = dovecotConfiguration({ folder, certificate, key, maildirs: box, owner: OWNER, ports: { plain, tls }, more })
    const file = write(folder, 'dovecot.conf', configuration)
    const box1 = maildir(join(box, USER), OWNER, (content) => content)
    place.start('dovecot', ['-F', '-c', file])
    await place.open([plain, tls])
    return { ports: { plain, tls }, stls: true, ...box1, plain: (content) => content, log: () => readIfThere(join(folder, 'dovecot.log')) }
  })
}

export function startCourier(): Promise<Pop3Server> {
  return begin(async (place) => {
    const [plain = 0] = await freePorts(1)
    const root = place.root('courier')
    const run = makeFolder(root, 'run/courier/authdaemon', SERVICE)
    write(
      join(root, 'etc', 'courier'),
      'authdaemonrc',
      'authmodulelist="authpam"\nauthmodulelistorig="authpam"\ndaemons=2\nauthdaemonvar=/run/courier/authdaemon\n',
    )
    const box = maildir(join(root, 'home', USER, 'Maildir'), OWNER, (content) => lineEnds(content, '\n'))
    place.start('chroot', [root, '/usr/lib/courier/courier-authlib/authdaemond'], { PATH })
    await place.until('authdaemond', () => Promise.resolve(existsSync(join(run, 'socket'))))
    const program = '/usr/lib/courier/courier/courierpop3'
    place.start(
      'chroot',
      [
        root,
        '/usr/sbin/couriertcpd',
        '-address=127.0.0.1',
        '-maxprocs=40',
        '-maxperip=40',
        '-nodnslookup',
        '-noidentlookup',
        String(plain),
        `${program}login`,
        `${program}d`,
        'Maildir',
      ],
      {
        PATH,
        AUTHMODULES: 'authdaemon',
        MAILDIRPATH: 'Maildir',
        POP3AUTH: 'PLAIN LOGIN',
        POP3AUTH_TLS: 'PLAIN LOGIN',
        POP3_STARTTLS: 'YES',
        POP3_TLS_REQUIRED: '0',
        PROTOCOL: 'POP3',
        COURIERTLS: '/usr/bin/couriertls',
        TLS_CERTFILE: '/server.pem',
        TLS_VERIFYPEER: 'NONE',
      },
    )
    await place.open([plain])
    return { ports: { plain }, stls: true, ...box, plain: (content) => content }
  })
}

export function startCyrus(): Promise<Pop3Server> {
  return begin(async (place) => {
    const [plain = 0, tls = 0, lmtp = 0] = await freePorts(3)
    const root = place.root('cyrus')
    for (const name of ['state', 'state/socket', 'state/proc', 'state/log', 'state/user', 'state/db', 'spool', 'run/cyrus'])
      makeFolder(root, name, SERVICE)
    place.run('chroot', [root, '/usr/sbin/saslpasswd2', '-p', '-c', '-f', '/sasldb', '-u', 'mail.example.test', USER], PASSWORD)
    write(makeFolder(root, 'usr/share/zoneinfo'), 'zone.tab', 'CH\t+4723+00832\tEurope/Zurich\n') // without time zones it ends at once
    chownSync(join(root, 'sasldb'), SERVICE.uid, SERVICE.gid)
    write(
      root,
      'imapd.conf',
      `
configdirectory: /state
defaultpartition: default
partition-default: /spool
servername: mail.example.test
admins: cyrus
virtdomains: off
unixhierarchysep: no
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /sasldb
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256
allowplaintext: yes
autocreate_quota: 0
autocreate_post: yes
tls_server_cert: /server.pem
tls_server_key: /server.pem
munge8bit: no
popminpoll: 0
duplicatesuppression: no
`,
    )
    write(
      root,
      'cyrus.conf',
      `
START {
  recover cmd="ctl_cyrusdb -C /imapd.conf -r"
}
SERVICES {
  pop3 cmd="pop3d -C /imapd.conf" listen="127.0.0.1:${plain}" prefork=0
  pop3s cmd="pop3d -s -C /imapd.conf" listen="127.0.0.1:${tls}" prefork=0
  lmtp cmd="lmtpd -a -C /imapd.conf" listen="127.0.0.1:${lmtp}" prefork=0
}
`,
    )
    place.start('chroot', [root, '/usr/lib/cyrus/bin/master', '-C', '/imapd.conf', '-M', '/cyrus.conf', '-p', '/run/master.pid'], { PATH })
    await place.open([plain, tls, lmtp])
    return {
      ports: { plain, tls },
      stls: true,
      // The mailbox is made at the first login.
      deliver: async (messages) => {
        if (!existsSync(join(root, 'spool', 'user')))
          await ask(
            plain,
            ['', `USER ${USER}\r\n`, `PASS ${PASSWORD}\r\n`, 'QUIT\r\n'].map((octets) => [octets, '+OK']),
          )
        await deliverByLmtp(lmtp, messages)
      },
      plain: (content) => content,
      kept: () =>
        readdirSync(join(root, 'spool'), { recursive: true, encoding: 'utf8' })
          .filter((name) => /\/\d+\.$/.test(name))
          .toSorted((a, b) => Number(/(\d+)\.$/.exec(a)?.[1]) - Number(/(\d+)\.$/.exec(b)?.[1]))
          .map((name) => readFileSync(join(root, 'spool', name))),
    }
  })
}

const without = (content: Buffer): Buffer =>
  Buffer.from(content.toString('latin1').replaceAll(/^(?:X-UIDL|X-IMAPbase|X-UID|Status): .*\r\n/gm, ''), 'latin1')

export function startMailutils(): Promise<Pop3Server> {
  return begin(async (place) => {
    const root = place.root('mailutils')
    const box = mbox(join(root, 'var', 'mail', USER), OWNER)
    write(
      join(root, 'etc'),
      'mailutils.conf',
      `
mode inetd;
logging {
  syslog no;
}
auth {
  authentication "pam";
  authorization "system";
}
tls {
  ssl-certificate-file /server.pem;
  ssl-key-file /server.pem;
}
tls-file-checks {
  key-file none;
  cert-file none;
}
tls-mode ondemand;
`,
    )
    const plain = await place.inetd('chroot', [root, '/usr/sbin/pop3d', '--inetd'])
    // It writes fields of its own into the mailbox and sends some of them; `>From ` it takes back.
    const kept = (): readonly Buffer[] =>
      box.kept().map((content) =>
        Buffer.from(
          without(content)
            .toString('latin1')
            .replaceAll(/^>(?=>*From )/gm, ''),
          'latin1',
        ),
      )
    return { ports: { plain }, stls: true, ...box, kept, plain: without }
  })
}

export function startPopa3d(): Promise<Pop3Server> {
  return begin(async (place) => {
    const root = place.root('popa3d')
    makeFolder(root, 'var/lib/popa3d')
    const box = mbox(join(root, 'var', 'mail', USER), OWNER)
    const plain = await place.inetd('chroot', [root, '/usr/sbin/popa3d'])
    return { ports: { plain }, stls: false, ...box, plain: (content) => content }
  })
}

/** RFC 2033: one transaction a message, each answered before the next. */
async function deliverByLmtp(port: number, messages: readonly Buffer[]): Promise<void> {
  const dialogue: [octets: string, status: string][] = [
    ['', '220'],
    ['LHLO client.example.test\r\n', '250'],
  ]
  for (const message of messages) {
    const content = message.toString('latin1').replaceAll(/^\./gm, '..')
    dialogue.push(['MAIL FROM:<sender@example.test>\r\n', '250'], [`RCPT TO:<${USER}>\r\n`, '250'], ['DATA\r\n', '354'])
    dialogue.push([`${content}${content === '' || content.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, '250'])
  }
  await ask(port, [...dialogue, ['QUIT\r\n', '221']])
}

/** A raw dialogue of one-line answers; each must begin as given. */
async function ask(port: number, dialogue: readonly (readonly [octets: string, status: string])[]): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  const lines = linesOf(socket)
  for (const [octets, status] of dialogue) {
    socket.write(octets, 'latin1')
    let line = await lines.next()
    while (line.value?.[3] === '-') line = await lines.next()
    if (line.value?.startsWith(status) !== true) throw new Error(`after ${JSON.stringify(octets.slice(0, 80))}: ${line.value ?? 'closed'}`)
  }
  socket.destroy()
}

async function* linesOf(socket: Socket): AsyncGenerator<string, void, void> {
  let buffered = ''
  for await (const chunk of socket) {
    buffered += String(chunk)
    for (let end = buffered.indexOf('\r\n'); end >= 0; end = buffered.indexOf('\r\n')) {
      yield buffered.slice(0, end)
      buffered = buffered.slice(end + 2)
    }
  }
}
