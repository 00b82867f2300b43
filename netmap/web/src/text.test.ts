import { describe, expect, test } from 'vitest'
import { isolated, legible, pieces } from './text.ts'

describe('a name from outside', () => {
  test.each([
    ['reviews-v1', 'reviews-v1'],
    ['größe 日本 👩‍💻 שלום', 'größe 日本 👩‍💻 שלום'],
    ['photo\u202egnp.exe', 'photo\ufffdgnp.exe'],
    ['a\u200e\u200f\u061cb', 'a\ufffd\ufffd\ufffdb'],
    ['\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069', '\ufffd'.repeat(9)],
    ['line\nfeed\r\ttab', 'line\ufffdfeed\ufffd\ufffdtab'],
    ['\u0000\u001b[31mred\u007f\u0085\u009f', '\ufffd\ufffd[31mred\ufffd\ufffd\ufffd'],
    ['one\u2028two\u2029three', 'one\ufffdtwo\ufffdthree'],
    ['half \ud83d of a pair', 'half \ufffd of a pair'],
    ['', ''],
  ])('%j is shown as %j', (name, want) => expect(legible(name)).toBe(want))

  test('cannot end its own isolate', () => {
    expect(isolated('a\u2069b')).toBe('\u2068a\ufffdb\u2069')
    expect(isolated('')).toBe('')
  })
})

describe('a text with names in it', () => {
  test.each([
    ['', []],
    ['no name', [{ text: 'no name', name: false }]],
    [isolated('a'), [{ text: 'a', name: true }]],
    [
      `${isolated('a')} → ${isolated('b')}:80`,
      [
        { text: 'a', name: true },
        { text: ' → ', name: false },
        { text: 'b', name: true },
        { text: ':80', name: false },
      ],
    ],
  ])('%j', (text, want) => expect(pieces(text)).toEqual(want))
})
