import { expect, test } from 'vitest'
import { joinParagraphs, unflow } from '../../../src/mime/flowed.ts'
import { growth, isLinear } from '../../support/linear.ts'

/** Paragraphs as their depth and text. */
function read(text: string, delSp?: boolean): [number, string][] {
  return unflow(text, { delSp }).map((paragraph) => [paragraph.quoteDepth, paragraph.text])
}

test.each<[name: string, lines: string[], paragraphs: [number, string][], delSp?: boolean]>([
  [
    'lines that flow',
    ['one ', 'two ', 'three', 'four'],
    [
      [0, 'one two three'],
      [0, 'four'],
    ],
  ],
  ['DelSp', ['日本 ', '語 ', '  x'], [[0, '日本語 x']], true],
  ['only the last space with DelSp', ['a  ', 'b'], [[0, 'a b']], true],
  [
    'empty lines',
    ['a ', '', '', 'b'],
    [
      [0, 'a '],
      [0, ''],
      [0, 'b'],
    ],
  ],
  [
    'stuffed lines',
    [' From me', '  two', ' >not quoted', ' '],
    [
      [0, 'From me'],
      [0, ' two'],
      [0, '>not quoted'],
      [0, ''],
    ],
  ],
  [
    'quoted lines',
    ['> a ', '> b', '>> c ', '>>d', '>'],
    [
      [1, 'a b'],
      [2, 'c d'],
      [1, ''],
    ],
  ],
  ['a quote in a quoted line', ['> > a'], [[1, '> a']]],
  [
    'a change of depth',
    ['> a ', 'b ', '>c'],
    [
      [1, 'a '],
      [0, 'b '],
      [1, 'c'],
    ],
  ], // question 78
  [
    'a signature',
    ['a ', '-- ', 'me ', 'you', '> -- ', '> x', '--  ', 'y'],
    [
      [0, 'a '],
      [0, '-- '],
      [0, 'me you'],
      [1, '-- '],
      [1, 'x'],
      [0, '--  y'],
    ],
  ],
  [
    'a signature with DelSp',
    ['a ', '-- ', 'b'],
    [
      [0, 'a'],
      [0, '-- '],
      [0, 'b'],
    ],
    true,
  ],
  ['a last line that would flow', ['a '], [[0, 'a ']]],
])('unflows %s', (_name, lines, paragraphs, delSp) => {
  for (const lineEnd of ['\r\n', '\n']) {
    expect(read(lines.join(lineEnd) + lineEnd, delSp)).toEqual(paragraphs)
    if (lines.at(-1) !== '') expect(read(lines.join(lineEnd), delSp)).toEqual(paragraphs)
  }
})

test('a bare CR ends no line', () => {
  expect(read('a \rb\r')).toEqual([[0, 'a \rb\r']])
  expect(read('')).toEqual([])
})

test('paragraphs become text again', () => {
  expect(joinParagraphs(unflow('a \r\nb\r\n>> c \r\n>> d\r\n> \r\n'))).toBe('a b\n>> c d\n> \n')
})

test.each(['a ', 'a \n', '>', '> \n', '>\n', '-- \n', '\r\n', '\r', ' '])('time is linear for many of %j', (piece) => {
  expect(
    isLinear(
      growth(
        (text) => joinParagraphs(unflow(text)),
        (count) => piece.repeat(count),
        10_000,
      ),
    ),
  ).toBe(true)
})
