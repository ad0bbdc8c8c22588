import { printable } from '../bytes.ts'

export interface Column {
  readonly title: string
  /** In characters; a longer cell pushes the rest to the right. */
  readonly width: number
  readonly align?: 'right'
}

/** Rows for people as they come: nothing is held back to measure it, so a table of any length needs no memory. */
export class Table {
  readonly #columns: readonly Column[]
  readonly #limit: number | undefined

  /** `limit`: characters in a line of the terminal. */
  constructor(columns: readonly Column[], limit: number | undefined) {
    this.#columns = columns
    this.#limit = limit
  }

  head(): string {
    return this.row(this.#columns.map((column) => column.title))
  }

  /** Cells may hold text from strangers. */
  row(cells: readonly string[]): string {
    let line = ''
    for (const [index, column] of this.#columns.entries()) {
      const cell = printable(cells[index] ?? '', 300)
      line += `${column.align === 'right' ? cell.padStart(column.width) : cell.padEnd(column.width)}  `
    }
    line = line.trimEnd()
    if (this.#limit !== undefined && line.length > this.#limit) line = `${line.slice(0, Math.max(0, this.#limit - 1))}…`
    return `${line}\n`
  }
}

/** `512 B`, `1.5 KiB`, `20.0 MiB`. */
export function humanOctets(octets: number): string {
  if (octets < 1024) return `${Math.round(octets)} B`
  let value = octets
  let unit = -1
  do {
    value /= 1024
    unit++
  } while (value >= 1000 && unit < UNITS.length - 1)
  return `${value.toFixed(1)} ${UNITS[unit]}`
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB']

/** `1 document`, `2 documents`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
