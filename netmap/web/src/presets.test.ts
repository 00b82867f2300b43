import { describe, expect, test } from 'vitest'
import { choose, lack, presets } from './presets.ts'
import { defaults, parse, serialise } from './state/state.ts'

const known = (...tags: string[]) =>
  tags.map((tag) => ({ tag, attribute: tag, of: 'end' as const, ends: 1, values: 2 }))

describe.each(presets.map((p) => [p.label, p] as const))('%s', (_, preset) => {
  test('is an address, and a state that another preset leaves nothing in', () => {
    const dirty = {
      ...defaults,
      ...choose(
        presets.find((p) => p.id === 'canary')!,
        known('service'),
      ),
      hide: ['a'],
      focus: 'b',
    }
    const state = { ...dirty, ...choose(preset, known('zone', 'region', 'service')) }
    expect(parse(serialise(state))).toEqual(state)
    expect(state).toMatchObject({ hide: [], focus: '', selected: null, preset: preset.id })
    if (preset.id !== 'canary') expect(state.by).toBe('name')
  })

  test('says what it shows, and what to do', () => {
    expect(preset.what).toMatch(/\.$/)
    if (preset.id) expect(preset.advice).toMatch(/\.$/)
  })
})

test('a canary is grouped by what is known', () => {
  const canary = presets.find((p) => p.id === 'canary')!
  expect(choose(canary, known('service', 'workload'))).toMatchObject({ group: 'service', servers: 'service,image.tag' })
  expect(choose(canary, known('workload'))).toMatchObject({ group: 'workload' })
  expect(choose(canary, [])).toMatchObject({ group: 'name' })
})

test('the presets of alerts and of costs need their configuration', () => {
  const alerts = { state: 'off', kind: '', reason: '', at: 0, firing: 0, pending: 0, left_out: 0 } as const
  const none = { alerts, costs: null }
  expect(lack('alerts', [], none)).toContain('alerts.endpoint')
  expect(lack('alerts', [], { ...none, alerts: { ...alerts, state: 'unreachable' } })).toBe('')
  expect(lack('costs', [], none)).toContain('costs of the extension')
  expect(lack('costs', [], { ...none, costs: { currency: '' } })).toBe('')
  for (const id of ['alerts', 'costs']) expect(lack(id, []), 'not known yet').toBe('')
  expect(lack('new', [], none)).toBe('')
})

test('costs are by zone, or by region where that is all that is known', () => {
  const costs = presets.find((p) => p.id === 'costs')!
  expect(choose(costs, known('zone', 'region'))).toMatchObject({ view: 'table', sort: '-cost', clients: 'zone,name' })
  expect(choose(costs, known('region'))).toMatchObject({ clients: 'region,name', servers: 'region,name' })
})

test('what a preset cannot tell, it says', () => {
  const none = known('zone', 'region', 'proxy', 'name').map((t) => ({ ...t, values: t.tag === 'name' ? 1 : 0 }))
  const lacking = (tags: typeof none) => presets.filter((p) => lack(p.id, tags)).map((p) => p.id)
  expect(lacking(none)).toEqual(['cross-zone', 'cross-region', 'out-of-mesh'])
  expect(lacking(known('zone', 'name'))).toEqual(['cross-region', 'out-of-mesh'])
  expect(lacking(known('zone', 'region', 'proxy'))).toEqual([])
  expect(lacking([]), 'not known yet').toEqual([])
})
