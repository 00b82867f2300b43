import { expect, test } from 'vitest'
import { age, bytes, costOfDay, count, percent, plural, rate, seconds, span } from './format.ts'

const plain = (s: string) => s.replaceAll('\u00a0', ' ')

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1234, '1.23 kB'],
  [12345, '12.3 kB'],
  [999_499, '999 kB'],
  [999_999, '1 MB'],
  [1_500_000_000, '1.5 GB'],
  [null, '–'],
  [undefined, '–'],
  [NaN, '–'],
])('%s bytes are %s', (n, want) => expect(plain(bytes(n))).toBe(want))

test.each([
  [0, '0'],
  [3, '3'],
  [999, '999'],
  [12345, '12.3k'],
  [2_000_000, '2M'],
  [0.25, '0.25'],
  [null, '–'],
])('%s things are %s', (n, want) => expect(count(n)).toBe(want))

test.each([
  [0, '0 %'],
  [1, '100 %'],
  [0.9999, '99.9 %'],
  [0.123, '12.3 %'],
  [0.00001, '<0.01 %'],
  [null, '–'],
])('a share of %s is %s', (n, want) => expect(plain(percent(n))).toBe(want))

test.each([
  [0, '0 s'],
  [0.00004, '40 µs'],
  [0.0123, '12.3 ms'],
  [1.5, '1.5 s'],
  [null, '–'],
])('%s seconds are %s', (n, want) => expect(plain(seconds(n))).toBe(want))

test('the rest', () => {
  expect(plain(rate(2000))).toBe('2 kB/s')
  expect(rate(null)).toBe('–')
  expect([0, 89, 300, 7200, 400_000].map(age).map(plain)).toEqual(['0 s', '89 s', '5 min', '2 h', '5 d'])
  expect([plural(1, 'edge'), plural(2000, 'edge'), plural(2, 'address', 'addresses')]).toEqual([
    '1 edge',
    '2,000 edges',
    '2 addresses',
  ])
})

test.each([
  [1, '1 second'],
  [1.2, '1 second'],
  [10, '10 seconds'],
  [59.7, '1 minute'],
  [60, '1 minute'],
  [61, '1 minute'],
  [89, '1 minute'],
  [90, '2 minutes'],
  [300, '5 minutes'],
  [3590, '1 hour'],
  [3600, '1 hour'],
  [3700, '1 hour'],
  [7200, '2 hours'],
])('a window of %s s is %s', (s, want) => expect(span(s)).toBe(want))

test.each([
  [0.5, 300, 'USD', '144\u00a0USD'],
  [0.5, 300, '', '144'],
  [0, 300, 'USD', '0\u00a0USD'],
  [1e-6, 86400, 'USD', '0.000001\u00a0USD'],
  [null, 300, 'USD', '–'],
  [1, 0, 'USD', '–'],
])('%s in %s s is a day for %s: %s', (cost, seconds, currency, want) => {
  expect(costOfDay(cost, seconds, currency)).toBe(want)
})
