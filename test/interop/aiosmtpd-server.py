"""aiosmtpd-server.py MAILDIRS PEM CLEAR TLS SIZE: aiosmtpd on two ports of 127.0.0.1 until TERM. It has no PIPELINING and no CHUNKING."""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

maildirs, pem, clear, tls, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
USERS = {"u1": "u1", "u2": "u2", "u3": "u3", "jürgen": "u1"}
ANSWERS = {"temp": "450 4.2.1 try later", "perm": "550 5.1.1 no such user"}
stored = 0


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.rpartition("@")[0]
        if local == "drop":
            await server.push("421 4.3.2 going away")
            server.transport.close()
            raise ConnectionResetError
        if local not in USERS:
            return ANSWERS.get(local, "550 5.1.1 unknown")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        global stored
        for user in {USERS[address.rpartition("@")[0]] for address in envelope.rcpt_tos}:
            stored += 1
            for name in ("tmp", "new"):
                os.makedirs(os.path.join(maildirs, user, name), exist_ok=True)
            draft = os.path.join(maildirs, user, "tmp", str(stored))
            with open(draft, "wb") as file:
                file.write(b"Return-Path: <%s>\r\n" % envelope.mail_from.encode() + envelope.original_content)
            os.rename(draft, os.path.join(maildirs, user, "new", str(stored)))
        return "250 2.0.0 stored"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"u1", b"pw-1"), handled=False)


def factory(context):
    return SMTP(
        Handler(),
        data_size_limit=size,
        enable_SMTPUTF8=True,
        hostname="mail.example.test",
        tls_context=context,
        authenticator=authenticate,
        auth_require_tls=context is not None,
        loop=asyncio.get_running_loop(),
    )


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: factory(context), "127.0.0.1", clear)
    await loop.create_server(lambda: factory(None), "127.0.0.1", tls, ssl=context)
    await loop.create_future()


asyncio.run(main())
