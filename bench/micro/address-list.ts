import { parseAddressList } from '../../src/mime/field/address.ts'
import { ignore } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'

const NAMES = ['John Smith', '"Smith, John"', '=?utf-8?B?SsO8cmdlbiBNw7xsbGVy?=', 'sales', ''] as const

function bodies(): string[] {
  return Array.from({ length: 200 }, (_, at) =>
    Array.from({ length: 1 + (at % 4) }, (_one, member) => {
      const name = NAMES[(at + member) % NAMES.length] ?? ''
      const address = `user${at}.${member}@mail${member}.example.test`
      return name === '' ? address : `${name} <${address}>`
    }).join(', '),
  )
}

const read = (lists: readonly string[]): number => lists.reduce((sum, body) => sum + parseAddressList(body, ignore).length, 0)

export const micros: readonly Micro[] = [
  {
    name: 'address lists',
    unit: 'lists',
    plainly: 'piece by piece: a comma at the end, which the look at once does not take',
    prepare() {
      const lists = bodies()
      const others = lists.map((body) => `${body},`)
      return { amount: lists.length, run: () => read(lists), plain: () => read(others) }
    },
  },
  {
    name: 'address lists with comments, groups and routes',
    unit: 'lists',
    prepare() {
      const lists = bodies().map((body, at) => (at % 2 === 0 ? `(list ${at}) ${body}` : `team: ${body};, <@a,@b:c@d.example>`))
      return { amount: lists.length, run: () => read(lists) }
    },
  },
]
