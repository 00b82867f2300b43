import { describe, expect, test } from 'vitest'
import { defaults, parse, serialise, type State } from './state.ts'

describe('the state in the address', () => {
  test('nothing is written for the defaults', () => {
    expect(serialise(defaults)).toBe('')
    expect(parse('')).toEqual(defaults)
  })

  test('every field comes back', () => {
    const state: State = {
      view: 'table',
      preset: 'canary',
      by: 'image tag',
      group: 'namespace',
      clients: 'workload',
      servers: 'zone',
      size: 'active',
      width: 'rtt',
      colour: 'retransmits',
      filter: 'client.namespace=prod server.zone!="a b" *pay*',
      window: 60,
      problems: true,
      only: 'new,zones',
      loops: true,
      compare: true,
      hide: ['internal/name/c&d/', 'internal/name/100%25/x%2Cy'],
      focus: '<script>alert(1)</script>',
      hops: 3,
      find: 'größe',
      sort: 'client',
      selected: { kind: 'edge', from: 'x%2Cy', to: 'z=1&%' },
      end: 1764107126,
      theme: 'dark',
    }
    for (const key of Object.keys(defaults) as (keyof State)[]) expect(state[key], key).not.toEqual(defaults[key])
    expect(parse(serialise(state))).toEqual(state)
  })

  test.each([
    ['view=pie', 'view'],
    ['window=-5', 'window'],
    ['window=1e9', 'window'],
    ['hops=99', 'hops'],
    ['selected=edge,a', 'selected'],
    ['selected=node', 'selected'],
    ['selected=edge,a,b,c', 'selected'],
    ['theme=javascript:', 'theme'],
    ['end=yes', 'end'],
  ] as [string, keyof State][])('%s is the default', (query, key) => {
    expect(parse(query)[key]).toEqual(defaults[key])
  })

  test('what is not a field is ignored', () => {
    expect(parse('__proto__=1&constructor=2&x=3')).toEqual(defaults)
  })
})

describe('one field', () => {
  test.each([
    ['window=10', 'window', 10],
    ['window=2592000', 'window', 2_592_000],
    ['window=9', 'window', 300],
    ['window=2592001', 'window', 300],
    ['window=60.5', 'window', 300],
    ['hops=5', 'hops', 5],
    ['hops=0', 'hops', 1],
    ['problems=1', 'problems', true],
    ['problems=true', 'problems', false],
    ['loops=1', 'loops', true],
    ['view=table', 'view', 'table'],
    ['theme=dark', 'theme', 'dark'],
    ['end=1764107126', 'end', 1764107126],
    ['hide=a,,b', 'hide', ['a', 'b']],
    ['hide=', 'hide', []],
    ['selected=node,a', 'selected', { kind: 'node', id: 'a' }],
    ['selected=row,a%252Fb', 'selected', { kind: 'row', id: 'a%2Fb' }],
    ['selected=edge,a,b', 'selected', { kind: 'edge', from: 'a', to: 'b' }],
    ['selected=row,a,b', 'selected', null],
    ['selected=window,a', 'selected', null],
    ['filter=a%3Db+c', 'filter', 'a=b c'],
  ] as [string, keyof State, unknown][])('%s: %s is %j', (query, key, want) => {
    expect(parse(query)[key]).toEqual(want)
  })

  test('is bounded, whatever the address holds', () => {
    expect(parse('filter=' + 'x'.repeat(5000)).filter).toHaveLength(2000)
    expect(parse('hide=' + 'a,'.repeat(500)).hide).toHaveLength(200)
  })

  test('that is given twice is the first', () => expect(parse('by=zone&by=pod').by).toBe('zone'))

  test.each([
    [{ selected: { kind: 'node', id: 'a' } }, '?selected=node%2Ca'],
    [{ selected: { kind: 'edge', from: 'a', to: 'b' } }, '?selected=edge%2Ca%2Cb'],
    [{ hide: ['a', 'b'], problems: true }, '?problems=1&hide=a%2Cb'],
    [{ window: 60, by: 'zone' }, '?by=zone&window=60'],
  ] as [Partial<State>, string][])('%j is written as %s', (patch, want) => {
    expect(serialise({ ...defaults, ...patch })).toBe(want)
  })
})
