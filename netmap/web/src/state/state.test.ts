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
