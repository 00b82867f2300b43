import { expect, test } from 'vitest'
import type { Series } from '../api/types.ts'
import { alertsOf } from './alerts.ts'

type Found = Series['alerts'][number]

const alert = (id: string, state: Found['state'], client: boolean, server: boolean): Found => ({
  id,
  state,
  client,
  server,
  name: id,
  severity: '',
  summary: '',
  since: 0,
  labels: {},
  links: [],
  about: { tag: 'pod', value: id },
})
const series = (...alerts: Found[]) => ({ alerts }) as Series

test('a node has its own alerts, each once, the firing ones first', () => {
  const asClient = series(
    alert('own', 'pending', true, false),
    alert('peer', 'firing', false, true),
    alert('both', 'firing', true, true),
  )
  const asServer = series(alert('caller', 'firing', true, false), alert('own', 'pending', false, true))
  expect(alertsOf([asClient, asServer], true).map((a) => [a.id, a.sides])).toEqual([
    ['both', undefined],
    ['own', undefined],
  ])
  expect(alertsOf([null, asServer], true).map((a) => a.id)).toEqual(['own'])
})

test('the alerts of an edge name their sides', () => {
  const of = alertsOf(
    [series(alert('a', 'pending', true, false), alert('b', 'pending', false, true), alert('c', 'firing', true, true))],
    false,
  )
  expect(of.map((a) => [a.id, a.sides])).toEqual([
    ['c', 'both ends'],
    ['a', 'the client'],
    ['b', 'the server'],
  ])
  expect(alertsOf([null, null], false)).toEqual([])
})
