import { parseMessage } from '../../src/mime/parser.ts'
import type { Entity } from '../../src/mime/entity.ts'
import { messages } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'

function octetsOf(entity: Entity): number {
  return entity.parts.length === 0 ? entity.content().length : entity.parts.reduce((sum, part) => sum + octetsOf(part), 0)
}

function touch(entity: Entity): void {
  for (const field of entity.header.fields) void field.value
  for (const name of ['From', 'To', 'Cc']) entity.header.addresses(name)
  entity.header.date()
  for (const part of entity.parts) touch(part)
}

export const micros: readonly Micro[] = [
  {
    name: 'parseMessage, small messages with their content',
    hot: true,
    warmMs: 250,
    unit: 'messages',
    plainly: 'every field is read, as it is needed only when somebody asks',
    prepare() {
      const all = messages()
      return {
        amount: all.length,
        run: () => all.reduce((sum, message) => sum + octetsOf(parseMessage(message)), 0),
        plain: () =>
          all.reduce((sum, message) => {
            const entity = parseMessage(message)
            touch(entity)
            return sum + octetsOf(entity)
          }, 0),
      }
    },
  },
]
