import { readdir } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { failing, gate, mail, NOTHING, openMailbox, PASSWORD, textOf } from './support.ts'

const order = mail({
  subject: 'Order 1',
  attachments: [
    ['order.edi', "UNA:+.? '"],
    ['order.edi', 'second'],
  ],
})

test('attachments become documents with their tracked properties', async () => {
  const mailbox = await openMailbox([order])
  const { report, documents } = await mailbox.get({ disposition: 'attachment' })
  expect(report).toEqual({ ...NOTHING, listed: 1, received: 1, documents: 2 })
  expect(documents.map(({ text }) => text)).toEqual(["UNA:+.? '", 'second'])
  expect(documents.map(({ document }) => document.safeFileName)).toEqual(['order.edi', 'order (2).edi'])
  expect(documents[0]?.document).toMatchObject({
    id: 'm000001#2',
    section: '2',
    contentType: 'application/edifact',
    attempt: 1,
    redelivered: false,
    message: { uniqueId: 'm000001', octets: order.length },
    tracked: {
      fileName: 'order.edi',
      fromAddress: 'orders@partner.example',
      host: '127.0.0.1',
      messageId: 'Order.1@partner.example',
      subject: 'Order 1',
      toAddress: 'me@here.example; you@here.example',
      user: 'partner@example.com',
    },
  })
  expect(Object.keys(documents[0]?.document.tracked ?? {}).toSorted()).toEqual([
    'fileName',
    'fromAddress',
    'host',
    'messageId',
    'subject',
    'toAddress',
    'user',
  ])
  expect(documents[0]?.document.message).toBe(documents[1]?.document.message)
})

test('what was accepted does not come again, and asks for nothing but the listing', async () => {
  const mailbox = await openMailbox([order, mail()])
  await mailbox.get({ disposition: 'attachment' })
  const before = mailbox.server.commands.length
  const { report } = await mailbox.get({ disposition: 'attachment' })
  expect(report).toEqual({ ...NOTHING, listed: 2, skipped: 1 })
  expect(mailbox.server.commands.slice(before).filter((line) => /^(LIST|RETR|TOP|DELE)/.test(line))).toEqual([])
})

test.each([
  ['inline', ['see attachment'], ['1']],
  ['all', ['see attachment', "UNA:+.? '", 'second'], ['1', '2', '3']],
  ['message', [order], ['']],
] as const)('disposition %s', async (disposition, texts, sections) => {
  const mailbox = await openMailbox([order])
  const { documents } = await mailbox.get({ disposition })
  expect(documents.map(({ text }) => text)).toEqual(texts)
  expect(documents.map(({ document }) => document.section)).toEqual(sections)
})

test('another disposition hands over what was not accepted yet, and only that', async () => {
  const mailbox = await openMailbox([order])
  await mailbox.get({ disposition: 'attachment' })
  const all = await mailbox.get({ disposition: 'all' })
  expect(all.documents.map(({ document }) => document.id)).toEqual(['m000001#1'])
  const inline = await mailbox.get({ disposition: 'inline' })
  expect(inline.report).toEqual({ ...NOTHING, listed: 1 })
  const whole = await mailbox.get({ disposition: 'message' })
  expect(whole.documents.map(({ document }) => document.id)).toEqual(['m000001#message'])
})

test('HTML that was accepted as the body does not come again as a leaf; the plain text beside it does', async () => {
  const html = ['text/html', '<p>one'] as const
  const mailbox = await openMailbox([alternative([html]), alternative([html, ['text/plain', 'two']])])
  await mailbox.get({ disposition: 'inline' })
  const all = await mailbox.get({ disposition: 'all' })
  expect(all.documents.map(({ document }) => document.id)).toEqual(['m000002#1'])
  expect((await mailbox.get({ disposition: 'all' })).report).toEqual({ ...NOTHING, listed: 2 })
})

test('more handlers at once than Node thinks are wise: no warning of listeners', async () => {
  const warnings: Error[] = []
  const warn = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warn)
  onTestFinished(() => void process.off('warning', warn))
  const mailbox = await openMailbox(Array.from({ length: 20 }, (_, at) => mail({ subject: `${at}` })))
  const all = gate()
  let active = 0
  const handler = (): Promise<void> => {
    active += 1
    if (active === 20) all.open()
    return all.opened
  }
  expect((await mailbox.get({ disposition: 'inline' }, handler, { concurrency: 20 })).report.documents).toBe(20)
  expect(warnings).toEqual([])
})

test('a message without an attachment stays, also when an earlier run accepted all of its leaves', async () => {
  const mailbox = await openMailbox([order, mail()])
  await mailbox.get({ disposition: 'all' })
  const { report } = await mailbox.get({ disposition: 'attachment', deleteFromServer: true })
  expect(report).toEqual({ ...NOTHING, listed: 2, skipped: 1, deleted: 1 })
})

test('the body of an alternative is its plain text, also when the HTML comes first', async () => {
  const mailbox = await openMailbox([
    alternative([
      ['text/html', '<p>one'],
      ['text/plain', 'one'],
    ]),
    alternative([
      ['text/plain', 'two'],
      ['text/html', '<p>two'],
    ]),
    alternative([['text/html', '<p>three']]),
  ])
  const { documents } = await mailbox.get({ disposition: 'inline' })
  expect(documents.map(({ text }) => text)).toEqual(['one', 'two', '<p>three'])
})

test('messages are deleted after acceptance, and counted after +OK to QUIT', async () => {
  const mailbox = await openMailbox([order, mail()])
  const { report } = await mailbox.get({ disposition: 'attachment', deleteFromServer: true })
  expect(report).toEqual({ ...NOTHING, listed: 2, received: 2, documents: 2, skipped: 1, deleted: 1 })
  expect(mailbox.maildrop.messages).toHaveLength(1)
  const later = await mailbox.get({ disposition: 'attachment', deleteFromServer: true, deleteEmpty: true })
  expect(later.report).toEqual({ ...NOTHING, listed: 1, skipped: 1, deleted: 1 })
  expect(mailbox.maildrop.messages).toHaveLength(0)
})

test('a message from another sender is set aside by TOP and stays; its display name does not help it', async () => {
  const mailbox = await openMailbox([
    mail({ from: '"orders@partner.example" <evil@other.example>', subject: 'a' }),
    mail({ from: 'Group: ORDERS@Partner.example, x@y.example;', subject: 'b' }),
    mail({ subject: 'c' }),
  ])
  const operation = { disposition: 'inline', fromAddress: 'orders@partner.example', deleteFromServer: true } as const
  const { report, documents } = await mailbox.get(operation)
  expect(report).toEqual({ ...NOTHING, listed: 3, received: 2, documents: 2, skipped: 1, deleted: 2 })
  expect(documents.map(({ document }) => document.tracked.subject)).toEqual(['b', 'c'])
  expect(mailbox.server.commands.filter((line) => line.startsWith('RETR'))).toEqual(['RETR 2', 'RETR 3'])
  expect(mailbox.log.text).toContain('from another sender')
  const again = await mailbox.get(operation)
  expect(again.report).toEqual({ ...NOTHING, listed: 1, skipped: 1 })
  const free = await mailbox.get({ disposition: 'inline' })
  expect(free.report).toEqual({ ...NOTHING, listed: 1, received: 1, documents: 1 })
})

test.each([undefined, { send: '-ERR no TOP\r\n' }])(
  'a filter keeps from deletion what another run accepted without it, TOP answered with %j',
  async (top) => {
    const mailbox = await openMailbox([mail({ from: 'x@other.example' }), mail({ subject: 'right' })], {
      onCommand: (verb) => (verb === 'TOP' ? top : undefined),
    })
    await mailbox.get({ disposition: 'inline' })
    const operation = { disposition: 'inline', deleteFromServer: true, fromAddress: 'orders@partner.example' } as const
    const { report } = await mailbox.get(operation)
    expect(report).toEqual({ ...NOTHING, listed: 2, skipped: 1, deleted: 1 })
    expect((await mailbox.get({ ...operation, handOver: 'spool' })).report).toEqual({ ...NOTHING, listed: 1, skipped: 1 })
  },
)

test('without TOP the whole message is retrieved to see who sent it', async () => {
  const mailbox = await openMailbox([mail({ from: 'x@other.example' }), mail({ subject: 'right' })], {
    onCommand: (verb) => (verb === 'TOP' ? { send: '-ERR no TOP\r\n' } : undefined),
  })
  const { report } = await mailbox.get({ disposition: 'inline', fromAddress: 'orders@partner.example' })
  expect(report).toEqual({ ...NOTHING, listed: 2, received: 1, documents: 1, skipped: 1 })
  expect(mailbox.server.commands.filter((line) => line.startsWith('TOP'))).toHaveLength(1)
})

test('a rejecting handler leaves the rest of its message for the next run, and the next message goes on', async () => {
  const mailbox = await openMailbox([order, mail({ subject: 'next', attachments: [['n', 'n']] })])
  let calls = 0
  const first = await mailbox.get({ disposition: 'all', deleteFromServer: true }, async (document) => {
    calls += 1
    if (document.id === 'm000001#2') throw new Error('not now')
    await textOf(document.content)
  })
  expect(calls).toBe(4)
  expect(first.report).toEqual({ ...NOTHING, listed: 2, received: 2, documents: 3, failed: 1, deleted: 1 })
  const second = await mailbox.get({ disposition: 'all', deleteFromServer: true })
  expect(second.documents.map(({ document: { id, attempt, redelivered } }) => [id, attempt, redelivered])).toEqual([
    ['m000001#2', 2, true],
    ['m000001#3', 1, false],
  ])
  expect(second.report).toEqual({ ...NOTHING, listed: 1, received: 1, documents: 2, deleted: 1 })
  expect(mailbox.maildrop.messages).toHaveLength(0)
})

test('a synchronous throw counts as a rejection, and content cannot be read after the handler', async () => {
  const mailbox = await openMailbox([mail()])
  let late: AsyncIterable<Buffer> | undefined
  const { report } = await mailbox.get({ disposition: 'inline' }, (document) => {
    late = document.content
    throw new Error('no')
  })
  expect(report).toMatchObject({ failed: 1, documents: 0 })
  await expect(textOf(late ?? emptyContent())).rejects.toMatchObject({ code: 'ERR_CONTENT' })
})

test('content that the handler leaves is drained; read twice it fails', async () => {
  const mailbox = await openMailbox([mail({ body: 'x'.repeat(500_000) }), mail({ subject: 'twice' })])
  const seen: unknown[] = []
  const { report } = await mailbox.get({ disposition: 'inline' }, async ({ content, tracked }) => {
    if (tracked.subject === 'Order') {
      for await (const chunk of content) {
        seen.push(chunk.length)
        break
      }
      return
    }
    await textOf(content)
    await expect(textOf(content)).rejects.toMatchObject({ code: 'ERR_CONTENT' })
  })
  expect(seen).toHaveLength(1)
  expect(report).toEqual({ ...NOTHING, listed: 2, received: 2, documents: 2 })
})

test.each([1, 4])('the server dies in the middle of RETR: what came whole stays accepted, with concurrency %d', async (concurrency) => {
  let dies = true
  const long = mail({
    subject: 'long',
    body: 'first',
    attachments: [
      ['a', 'a'.repeat(300_000)],
      ['b', 'b'.repeat(3_000_000)],
    ],
  })
  const mailbox = await openMailbox([mail({ subject: 'whole' }), long, mail({ subject: 'never reached' })], {
    onContent: (sent) => (dies && sent > 2_000_000 ? 'drop' : undefined),
  })
  const first = await mailbox.get({ disposition: 'all', deleteFromServer: true }, undefined, { concurrency })
  expect(first.documents.map(({ document }) => document.id)).toEqual(['m000001#', 'm000002#1', 'm000002#2'])
  expect(first.report).toMatchObject({ ...NOTHING, listed: 3, received: 1, documents: 3, failed: 1, unconfirmed: expect.any(Number) })
  if (concurrency === 1) expect(first.report.unconfirmed).toBe(1)
  expect(mailbox.maildrop.messages).toHaveLength(3)
  dies = false
  const second = await mailbox.get({ disposition: 'all', deleteFromServer: true }, undefined, { concurrency })
  expect(second.documents.map(({ document: { id, attempt, redelivered } }) => [id, attempt, redelivered])).toEqual([
    ['m000002#3', 2, true],
    ['m000003#', 1, false],
  ])
  expect(second.report).toEqual({ ...NOTHING, listed: 3, received: 2, documents: 2, deleted: 3 })
})

test('a handler that resolved does not make a cut document whole', async () => {
  let dies = true
  const mailbox = await openMailbox([mail({ attachments: [['a', 'a'.repeat(3_000_000)]] })], {
    onContent: (sent) => (dies && sent > 2_000_000 ? 'drop' : undefined),
  })
  const first = await mailbox.get({ disposition: 'attachment', deleteFromServer: true }, () => undefined)
  expect(first.report).toEqual({ ...NOTHING, listed: 1, failed: 1 })
  dies = false
  const second = await mailbox.get({ disposition: 'attachment', deleteFromServer: true })
  expect(second.documents.map(({ document, text }) => [document.attempt, text.length])).toEqual([[2, 3_000_000]])
})

test('an -ERR to RETR leaves that message, and the others go on (P10)', async () => {
  const mailbox = await openMailbox([mail({ subject: 'a' }), mail({ subject: 'b' })], {
    onCommand: (verb, [number]) => (verb === 'RETR' && number === '1' ? { send: '-ERR virus\r\n' } : undefined),
  })
  const { report } = await mailbox.get({ disposition: 'inline', deleteFromServer: true })
  expect(report).toEqual({ ...NOTHING, listed: 2, received: 1, documents: 1, deleted: 1, failed: 1 })
})

test('an -ERR to DELE is not a deletion, whatever QUIT says (P11)', async () => {
  const mailbox = await openMailbox([mail()], { onCommand: (verb) => (verb === 'DELE' ? { send: '-ERR no\r\n' } : undefined) })
  const { report } = await mailbox.get({ disposition: 'inline', deleteFromServer: true })
  expect(report).toEqual({ ...NOTHING, listed: 1, received: 1, documents: 1 })
})

test.each([
  ['refused', false, { send: '-ERR some messages were not removed\r\n' }],
  ['lost before it was carried out', false, 'drop'],
  ['lost after it was carried out', true, 'drop'],
] as const)('QUIT %s: unconfirmed, and the next listing decides without a repeat (D7 to D9)', async (_name, carriedOut, fault) => {
  let fails = true
  const mailbox = await openMailbox([mail(), mail({ subject: 'later' })], {
    async onCommand(verb) {
      if (verb !== 'QUIT' || !fails) return undefined
      if (carriedOut) await mailbox.maildrop.clear()
      return fault
    },
  })
  const first = await mailbox.get({ disposition: 'inline', deleteFromServer: true })
  expect(first.report).toEqual({ ...NOTHING, listed: 2, received: 2, documents: 2, unconfirmed: 2 })
  fails = false
  const second = await mailbox.get({ disposition: 'inline', deleteFromServer: true })
  expect(second.report).toEqual(carriedOut ? NOTHING : { ...NOTHING, listed: 2, deleted: 2 })
  expect(mailbox.server.commands.filter((line) => line.startsWith('RETR'))).toHaveLength(2)
})

test('a unique-id used again for another message is a new message; a restored copy of the same is not (P8, D10)', async () => {
  const mailbox = await openMailbox()
  const operation = { disposition: 'inline', deleteFromServer: true } as const
  mailbox.maildrop.add(mail({ subject: 'one' }), 'same')
  expect((await mailbox.get(operation)).report).toMatchObject({ documents: 1, deleted: 1 })
  mailbox.maildrop.add(mail({ subject: 'two' }), 'same')
  expect((await mailbox.get(operation)).documents.map(({ document }) => document.tracked.subject)).toEqual(['two'])
  await mailbox.get(operation)
  mailbox.maildrop.add(mail({ subject: 'two' }), 'same')
  expect((await mailbox.get(operation)).report).toEqual({ ...NOTHING, listed: 1, deleted: 1 })
})

test('messages with the same unique-id are told apart, and none is deleted for another (P5)', async () => {
  const mailbox = await openMailbox()
  for (const subject of ['one', 'two', 'three']) mailbox.maildrop.add(mail({ subject }), 'same')
  const operation = { disposition: 'inline', deleteFromServer: true } as const
  const first = await mailbox.get(operation, (document) => {
    if (document.tracked.subject === 'two') throw new Error('not now')
  })
  expect(first.report).toEqual({ ...NOTHING, listed: 3, received: 3, documents: 2, deleted: 2, failed: 1 })
  const second = await mailbox.get(operation)
  expect(second.documents.map(({ document: { id, tracked, attempt } }) => [id, tracked.subject, attempt])).toEqual([['same#2#', 'two', 2]])
  expect(second.report).toEqual({ ...NOTHING, listed: 1, received: 1, documents: 1, deleted: 1 })
})

test('messages that were renumbered are known by their unique-id', async () => {
  const mailbox = await openMailbox([mail({ subject: 'a' }), mail({ subject: 'b' })])
  await mailbox.get({ disposition: 'inline' })
  const [first] = mailbox.maildrop.messages
  if (first !== undefined) await mailbox.maildrop.remove(new Set([first]))
  mailbox.maildrop.add(mail({ subject: 'c' }))
  const { documents } = await mailbox.get({ disposition: 'inline' })
  expect(documents.map(({ document }) => document.tracked.subject)).toEqual(['c'])
})

test('a limit sets the rest aside for the next run, and what is larger than all of it for good', async () => {
  const mailbox = await openMailbox([mail({ body: 'x'.repeat(5000) }), mail({ subject: 'b' }), mail({ subject: 'c' }), mail({ subject: 'd' })])
  const two = await mailbox.get({ disposition: 'inline', limit: { messages: 2, octets: 4000 } })
  expect(two.documents.map(({ document }) => document.tracked.subject)).toEqual(['b', 'c'])
  expect(two.report).toEqual({ ...NOTHING, listed: 4, received: 2, documents: 2, skipped: 2 })
  const rest = await mailbox.get({ disposition: 'inline', limit: { octets: 4000 } })
  expect(rest.report).toEqual({ ...NOTHING, listed: 4, received: 1, documents: 1, skipped: 1 })
})

test('documents of different messages are handled side by side, up to concurrency', async () => {
  const mailbox = await openMailbox(
    Array.from({ length: 20 }, (_, at) =>
      mail({
        subject: `${at}`,
        attachments: [
          ['a', 'a'],
          ['b', 'b'],
        ],
      }),
    ),
  )
  let active = 0
  let most = 0
  const together = gate()
  const perMessage = new Map<string, number>()
  const { report } = await mailbox.get(
    { disposition: 'attachment', deleteFromServer: true },
    async ({ content, message: { uniqueId } }) => {
      active += 1
      most = Math.max(most, active)
      perMessage.set(uniqueId, (perMessage.get(uniqueId) ?? 0) + 1)
      expect(perMessage.get(uniqueId)).toBe(1)
      await textOf(content)
      // However slowly messages come, the first wait until there are as many as there may be.
      if (active === 3) together.open()
      await together.opened
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      perMessage.set(uniqueId, 0)
      active -= 1
    },
    { concurrency: 3 },
  )
  expect(most).toBe(3)
  expect(report).toEqual({ ...NOTHING, listed: 20, received: 20, documents: 40, deleted: 20 })
})

test('spool: whole messages are handed over from the disk, and deleted in a session of their own', async () => {
  const mailbox = await openMailbox([order, mail({ subject: 'next', attachments: [['n', 'n']] })])
  const { report, documents } = await mailbox.get(
    { disposition: 'attachment', deleteFromServer: true, handOver: 'spool' },
    async ({ content, tracked }) => {
      expect(mailbox.server.commands.at(-1)).toBe('QUIT')
      if (tracked.subject === 'next') throw new Error('not now')
      await textOf(content)
    },
  )
  expect(documents).toHaveLength(2)
  expect(report).toEqual({ ...NOTHING, listed: 2, received: 2, documents: 2, deleted: 1, failed: 1 })
  const second = await mailbox.get({ disposition: 'attachment', deleteFromServer: true, handOver: 'spool' })
  expect(second.documents.map(({ document: { attempt, redelivered }, text }) => [attempt, redelivered, text])).toEqual([[2, true, 'n']])
  expect(second.report).toEqual({ ...NOTHING, listed: 1, documents: 1, deleted: 1 })
  expect(mailbox.server.commands.filter((line) => line.startsWith('RETR'))).toHaveLength(2)
  const spool = (await readdir(mailbox.folder)).find((name) => name.endsWith('.spool'))
  expect(await readdir(`${mailbox.folder}/${spool}`)).toEqual([])
})

test('an aborted signal ends the run in order: deletions are confirmed, the rest comes again', async () => {
  const mailbox = await openMailbox([mail({ subject: 'a' }), mail({ subject: 'b' }), mail({ subject: 'c' })])
  const controller = new AbortController()
  await using connector = mailbox.connector()
  const reason = new Error('stop')
  const got = connector.get(
    { disposition: 'inline', deleteFromServer: true },
    async ({ content, tracked }) => {
      if (tracked.subject !== 'b') return textOf(content)
      controller.abort(reason)
      await expect(textOf(content)).rejects.toBe(reason)
      throw reason
    },
    { signal: controller.signal },
  )
  await expect(got).rejects.toBe(reason)
  expect(mailbox.maildrop.messages).toHaveLength(2)
  const { documents } = await mailbox.get({ disposition: 'inline' })
  expect(documents.map(({ document: { tracked, attempt } }) => [tracked.subject, attempt])).toEqual([
    ['b', 2],
    ['c', 1],
  ])
})

test('an abort waits for no handler for ever, and one before the start connects nowhere', async () => {
  const mailbox = await openMailbox([mail()])
  await using connector = mailbox.connector()
  await expect(connector.get({ disposition: 'inline' }, () => undefined, { signal: AbortSignal.abort('early') })).rejects.toBe('early')
  expect(mailbox.server.commands).toEqual([])
  const controller = new AbortController()
  const entered = gate()
  const got = connector.get({ disposition: 'inline' }, () => (entered.open(), new Promise(() => undefined)), { signal: controller.signal })
  await entered.opened
  controller.abort('late')
  await expect(got).rejects.toBe('late')
})

test('closing the connector ends a run that is under way', async () => {
  const mailbox = await openMailbox([mail()])
  const connector = mailbox.connector()
  const left = gate()
  const entered = gate()
  const got = connector.get({ disposition: 'inline' }, async ({ content }) => {
    entered.open()
    await left.opened
    return textOf(content)
  })
  const refused = expect(got).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  await entered.opened
  const closed = connector.close()
  left.open()
  await closed
  await refused
  await expect(connector.get({ disposition: 'inline' }, () => undefined)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('one poller a mailbox: the second is refused, and learns who has it (P18)', async () => {
  const mailbox = await openMailbox([mail()])
  await using second = mailbox.connector()
  const { report } = await mailbox.get({ disposition: 'inline' }, async ({ content }) => {
    await expect(second.get({ disposition: 'inline' }, () => undefined)).rejects.toMatchObject({
      code: 'ERR_STATE_LOCKED',
      message: expect.stringContaining(String(process.pid)),
    })
    await textOf(content)
  })
  expect(report.documents).toBe(1)
  await expect(second.get({ disposition: 'inline' }, () => undefined)).resolves.toEqual({ ...NOTHING, listed: 1 })
})

test('a state directory that cannot be used is found out before anything is asked of a server', async () => {
  const mailbox = await openMailbox([mail()])
  await using connector = mailbox.connector({ stateDirectory: '/proc/nothing/here' })
  await expect(connector.get({ disposition: 'inline' }, () => undefined)).rejects.toMatchObject({
    code: 'ERR_STATE',
    message: expect.stringContaining('/proc/nothing/here'),
  })
  expect(mailbox.server.commands).toEqual([])
})

test.each([
  ['before the hand-over', 2, 0],
  ['after the acceptance', 3, 1],
] as const)('a disk that fails %s: nothing is deleted, and the run stops (P23)', async (_name, sync, calls) => {
  const mailbox = await openMailbox([mail({ subject: 'a' }), mail({ subject: 'b' })])
  let syncs = -1
  const files = failing('sync', () => (syncs += 1) >= sync)
  let handed = 0
  const got = mailbox.get({ disposition: 'inline', deleteFromServer: true }, () => void (handed += 1), { ground: { files } })
  await expect(got).rejects.toMatchObject({ code: 'ERR_STATE', message: expect.stringContaining('ENOSPC') })
  expect(handed).toBe(calls)
  expect(mailbox.server.commands.filter((line) => line.startsWith('DELE'))).toEqual([])
  expect(mailbox.maildrop.messages).toHaveLength(2)
  const again = await mailbox.get({ disposition: 'inline', deleteFromServer: true })
  expect(again.report).toMatchObject({ failed: 0, deleted: 2 })
})

test('a server without unique-ids is refused (P6)', async () => {
  const mailbox = await openMailbox([mail()], { onCommand: (verb) => (verb === 'UIDL' ? { send: '-ERR what?\r\n' } : undefined) })
  await expect(mailbox.get({ disposition: 'inline' })).rejects.toMatchObject({ code: 'ERR_UNIQUE_ID' })
})

test('with memory as state nothing comes twice within one connector', async () => {
  const mailbox = await openMailbox([mail()])
  await using connector = mailbox.connector({ state: 'memory' })
  await expect(connector.get({ disposition: 'inline' }, () => undefined)).resolves.toMatchObject({ documents: 1 })
  await expect(connector.get({ disposition: 'inline' }, () => undefined)).resolves.toEqual({ ...NOTHING, listed: 1 })
})

test('secrets are in no log line and no error, and strangers cannot forge a line (S24, S25)', async () => {
  const forged = `x${String.fromCharCode(27)}[31m${String.fromCharCode(0x202e)}`
  const mailbox = await openMailbox([mail({ subject: `=?utf-8?b?${Buffer.from(`${forged}\n{"level":60}`).toString('base64')}?=` })])
  await mailbox.get({ disposition: 'inline' })
  expect(mailbox.log.lines.some(({ level }) => level === 'trace')).toBe(true)
  expect(mailbox.log.text).not.toContain(PASSWORD)
  for (const { fields, message } of mailbox.log.lines) expect(`${Object.values(fields).join()}${message}`).not.toMatch(/[\p{Cc}\u202e]/u)
  await using wrong = mailbox.connector({
    inbound: {
      host: mailbox.server.host,
      port: mailbox.server.port,
      security: 'none',
      allowClearTextAuth: true,
      auth: { user: 'nobody', password: PASSWORD },
    },
  })
  const error: unknown = await wrong.get({ disposition: 'inline' }, () => undefined).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'ERR_AUTH' })
  expect(JSON.stringify(error) + String(error)).not.toContain(PASSWORD)
  expect(mailbox.log.text).not.toContain(PASSWORD)
})

async function* emptyContent(): AsyncGenerator<Buffer> {}

function alternative(parts: readonly (readonly [string, string])[]): string {
  return [
    'Content-Type: multipart/alternative; boundary=b',
    '',
    ...parts.flatMap(([type, text]) => ['--b', `Content-Type: ${type}`, '', text]),
    '--b--',
    '',
  ].join('\r\n')
}
