import { afterEach, expect, test, vi } from 'vitest'
import type { Flows } from '../api/types.ts'
import { append, everything } from './everything.ts'

afterEach(() => vi.unstubAllGlobals())

/** Rows of an answer, by number; every other one failed. */
function page(from: number, to: number, rows: number): Flows {
  const all = Array.from({ length: to - from }, (_, i) => from + i)
  return {
    to: 1000,
    rows,
    clients: ['name'],
    servers: ['name', 'port'],
    kinds: ['internal', 'external'],
    client: all.map((n) => [`c${n}`]),
    server: all.map((n) => [`s${n}`, '80']),
    tx: all,
    failures_by: { refused: all.filter((n) => n % 2).map((n) => [n - from, n]) },
    breaks_by: {},
    lookups_by: { SERVFAIL: [[0, from + 1]] },
  } as unknown as Flows
}

test('rows follow those before, and their failures stay theirs', () => {
  const both = append(page(0, 3, 5), page(3, 5, 5), 3)
  expect(both.tx).toEqual([0, 1, 2, 3, 4])
  expect(both.client.map((c) => c[0])).toEqual(['c0', 'c1', 'c2', 'c3', 'c4'])
  expect([both.clients, both.servers, both.kinds]).toEqual([['name'], ['name', 'port'], ['internal', 'external']])
  expect(both.failures_by).toEqual({
    refused: [
      [1, 1],
      [3, 3],
    ],
  })
  expect(both.lookups_by).toEqual({
    SERVFAIL: [
      [0, 1],
      [3, 4],
    ],
  })
})

test('an error type that only later rows have is added', () => {
  const later = { ...page(2, 4, 4), failures_by: {}, breaks_by: { reset: [[0, 9]] } } as unknown as Flows
  const both = append(page(0, 2, 4), later, 2)
  expect(both.breaks_by).toEqual({ reset: [[2, 9]] })
  expect(both.failures_by).toEqual({ refused: [[1, 1]] })
})

test('all pages are asked for, as of the end of the first', async () => {
  const asked: URLSearchParams[] = []
  vi.stubGlobal('fetch', (url: string) => {
    const query = new URLSearchParams(url.split('?')[1])
    asked.push(query)
    const offset = Number(query.get('offset'))
    return Promise.resolve(new Response(JSON.stringify(page(offset, Math.min(offset + 1000, 2500), 2500))))
  })
  const all = await everything({ filter: 'port=80' })
  expect(all.tx).toHaveLength(2500)
  expect(all.tx.at(-1)).toBe(2499)
  expect(asked.map((q) => [q.get('offset'), q.get('end'), q.get('filter'), q.get('spark')])).toEqual([
    ['0', null, 'port=80', 'none'],
    ['1000', '1000', 'port=80', 'none'],
    ['2000', '1000', 'port=80', 'none'],
  ])
})

test('rows that vanish meanwhile end it', async () => {
  const pages = [page(0, 1000, 1500), page(0, 0, 1500)]
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(pages.shift()))))
  expect((await everything({})).tx).toHaveLength(1000)
})
