import type { Ids } from './processes.ts'

export interface DovecotPlace {
  /** Holds what it writes, and `users`. */ readonly folder: string
  readonly certificate: string
  readonly key: string
  /** One maildir a user, of `owner`. */ readonly maildirs: string
  readonly owner: Ids
  readonly ports: { readonly plain: number; readonly tls: number }
  /** Further settings. */ readonly more: string
}

/** Dovecot with POP3 alone, on 127.0.0.1 and in one folder; lets PLAIN and LOGIN in on clear connections, too, and makes nobody wait after a wrong
 *  password. */
export function dovecotConfiguration({ folder, certificate, key, maildirs, owner, ports, more }: DovecotPlace): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/dovecot.log
protocols = pop3
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = yes
ssl_cert = <${certificate}
ssl_key = <${key}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:${maildirs}/%u
pop3_lock_session = yes
pop3_uidl_format = %08Xu%08Xv
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u ${folder}/users
}
userdb {
  driver = static
  args = uid=${owner.uid} gid=${owner.gid} home=${maildirs}/%u
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = ${ports.plain}
  }
  inet_listener pop3s {
    port = ${ports.tls}
    ssl = yes
  }
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
${more}`
}
