import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dovecotConfiguration } from './dovecot.ts'
import { inPlace, OWNER, PASSWORD, USER } from './place.ts'
import { environment, freePorts, listIfThere, makeFolder, readIfThere, until, write, type Ids } from './processes.ts'

/** Postfix and Dovecot over one maildir: what is sent to the one is got from the other. Each runs from an own folder with an own configuration. */
export interface RealServers {
  readonly ca: string
  readonly user: string
  readonly password: string
  readonly address: string
  readonly smtp: { readonly starttls: number; readonly tls: number }
  readonly pop3: { readonly starttls: number; readonly tls: number }
  /** One maildir each for `user`, u2 and u3, once something was delivered there. */ readonly maildirs: string
  /** Messages in the maildir of `user`. */
  messages(): readonly string[]
  /** Settles when the maildir holds `count` messages. */
  delivered(count: number): Promise<void>
  /** What the servers logged, for a test that failed. */
  log(): string
  close(): Promise<void>
}

/** @param sizeLimit octets of a message that Postfix takes */
export function startRealServers(sizeLimit = 40_000_000): Promise<RealServers> {
  return inPlace(async (place) => {
    const { folder } = place
    const ports = await freePorts(4)
    const [starttlsSmtp = 0, tlsSmtp = 0, stls = 0, pop3s = 0] = ports
    const maildirs = makeFolder(folder, 'mail', OWNER)
    const certificate = write(folder, 'server.pem', place.certificate.cert)
    const key = write(folder, 'server.key', place.certificate.key) // throw-away: the daemons drop privileges before they read it
    const socket = join(folder, 'auth.sock')

    // Level 0 in both servers, because TLS 1.0 and 1.1 sign with SHA-1.
    const more = `ssl_min_protocol = TLSv1
ssl_cipher_list = ALL:@SECLEVEL=0
service auth {
  unix_listener ${socket} {
    mode = 0666
  }
}
`
    const configuration = dovecotConfiguration({ folder, certificate, key, maildirs, owner: OWNER, ports: { plain: stls, tls: pop3s }, more })
    makeFolder(folder, 'run')
    makeFolder(folder, 'state')
    write(folder, 'users', `${USER}:{PLAIN}${PASSWORD}::::::\n`)
    place.start('dovecot', ['-F', '-c', write(folder, 'dovecot.conf', configuration)])

    const etc = makeFolder(folder, 'etc')
    makeFolder(folder, 'queue')
    makeFolder(folder, 'data', ids('postfix'))
    write(etc, 'main.cf', postfixMain({ folder, certificate, key, maildirs, socket, sizeLimit }))
    write(etc, 'master.cf', postfixMaster(starttlsSmtp, tlsSmtp))
    write(etc, 'boxes', ['u1', 'u2', 'u3'].map((user) => `/^${user}@example\\.test$/ ${user}/\n`).join('') + '/^jürgen@example\\.test$/ u1/\n')
    write(etc, 'recipients', '/^temp@/ 450 4.2.1 try later\n/^perm@/ 550 5.1.1 no such user\n/^drop@/ 421 4.3.2 going away\n')
    place.start('postfix', ['-c', etc, 'start-fg'])
    // The script that starts Postfix leaves its master behind when it is ended itself.
    place.ends.push(() => void spawnSync('postfix', ['-c', etc, 'stop'], { stdio: 'ignore', env: environment() }))

    const log = (): string => ['dovecot.log', 'postfix.log'].map((name) => `${name}:\n${readIfThere(join(folder, name))}`).join('\n')
    const messages = (): readonly string[] => ['new', 'cur'].flatMap((name) => listIfThere(join(maildirs, USER, name)))
    await place.open(ports)
    return {
      ca: place.authority.cert,
      user: USER,
      password: PASSWORD,
      address: `${USER}@example.test`,
      smtp: { starttls: starttlsSmtp, tls: tlsSmtp },
      pop3: { starttls: stls, tls: pop3s },
      maildirs,
      messages,
      delivered: (count: number) => until(`${count} messages`, () => Promise.resolve(messages().length >= count), log),
      log,
    }
  })
}

interface PostfixPlace {
  readonly folder: string
  readonly certificate: string
  readonly key: string
  readonly maildirs: string
  readonly socket: string
  readonly sizeLimit: number
}

function postfixMain({ folder, certificate, key, maildirs, socket, sizeLimit }: PostfixPlace): string {
  const version = execFileSync('postconf', ['-d', '-h', 'mail_version'], { encoding: 'utf8', env: environment() }).trim()
  return `
compatibility_level = 3.6
mail_version = ${version}
queue_directory = ${folder}/queue
data_directory = ${folder}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
meta_directory = /etc/postfix
maillog_file = ${folder}/postfix.log
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.test
mydestination =
mynetworks =
virtual_mailbox_domains = example.test
virtual_mailbox_base = ${maildirs}
virtual_mailbox_maps = regexp:${folder}/etc/boxes
virtual_mailbox_limit = 0
virtual_uid_maps = static:${OWNER.uid}
virtual_gid_maps = static:${OWNER.gid}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:${folder}/etc/recipients
smtpd_tls_cert_file = ${certificate}
smtpd_tls_key_file = ${key}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_protocols = >=TLSv1
smtpd_tls_mandatory_protocols = >=TLSv1
smtpd_tls_ciphers = medium
tls_medium_cipherlist = ALL:@SECLEVEL=0
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = ${socket}
smtpd_forbid_bare_newline = normalize
message_size_limit = ${sizeLimit}
in_flow_delay = 0
default_transport = error:no outbound mail in tests
alias_maps =
alias_database =
`
}

function postfixMaster(starttls: number, tls: number): string {
  return `
127.0.0.1:${starttls} inet n - n - - smtpd
127.0.0.1:${tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
proxymap  unix  - - n - - proxymap
postlog   unix-dgram n - n - 1 postlogd
`
}

function ids(user: string): Ids {
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${user}:`)) // no such user: the package is missing
  const [, , uid, gid] = entry?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${user}; install postfix and dovecot`)
  return { uid: Number(uid), gid: Number(gid) }
}
