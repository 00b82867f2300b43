import { describe, expect, test } from 'vitest'
import { ranks, type Link } from './rank.ts'

const link = (from: string, to: string): Link => ({ from, to })
const of = (ids: string[], links: Link[], most?: number) => Object.fromEntries(ranks(ids, links, most))

describe('ranks', () => {
  test('do not depend on the order of nodes and links', () => {
    const ids = ['d', 'a', 'c', 'b', 'e']
    const links = [link('a', 'b'), link('b', 'c'), link('c', 'a'), link('d', 'b'), link('c', 'e')]
    expect(of([...ids].reverse(), [...links].reverse())).toEqual(of(ids, links))
  })

  test('a server stands behind the furthest of its clients', () => {
    expect(of(['a', 'b', 'c'], [link('a', 'b'), link('b', 'c'), link('a', 'c')])).toEqual({ a: 0, b: 1, c: 2 })
  })

  test('links to nodes that are not there, and to oneself, do not count', () => {
    expect(of(['a', 'b'], [link('a', 'a'), link('gone', 'a'), link('b', 'gone')])).toEqual({ a: 0, b: 0 })
  })

  test('none is larger than the most', () => {
    expect(of(['a', 'b', 'c', 'd'], [link('a', 'b'), link('b', 'c'), link('c', 'd')], 2)).toEqual({
      a: 0,
      b: 1,
      c: 2,
      d: 2,
    })
  })

  test('two circles that meet have an order', () => {
    const links = [link('a', 'b'), link('b', 'a'), link('b', 'c'), link('c', 'b')]
    expect(of(['a', 'b', 'c'], links)).toEqual({ a: 0, b: 1, c: 2 })
  })

  test('one that calls several stands before the first of them', () => {
    const links = [link('a', 'b'), link('b', 'c'), link('late', 'c'), link('late', 'b')]
    expect(of(['a', 'b', 'c', 'late'], links)).toMatchObject({ late: 0, b: 1, c: 2 })
  })
})

test('of two circles of one size, the ids choose where each begins', () => {
  const links = [link('a', 'c'), link('a', 'b'), link('b', 'c'), link('c', 'b')]
  expect(of(['a', 'b', 'c'], links)).toEqual({ a: 0, b: 1, c: 2 })
  expect(of(['a', 'b', 'c'], [...links].reverse())).toEqual({ a: 0, b: 1, c: 2 })
})
