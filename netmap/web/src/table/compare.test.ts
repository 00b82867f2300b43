import { describe, expect, test } from 'vitest'
import type { Flows } from '../api/types.ts'
import { NONE } from '../format.ts'
import { before, dayBefore, difference, known } from './compare.ts'
import { rowKey } from './rows.ts'

const flows = {
  kinds: ['internal'],
  clients: ['name'],
  servers: ['name'],
  client: [['web'], ['job']],
  server: [['api'], ['api']],
  client_kind: [0, 0],
  server_kind: [0, 0],
  client_name: ['web', 'job'],
  server_name: ['api', 'api'],
  tx: [1, 10],
  rx: [2, 20],
  rows: 2,
  partial: null,
} as unknown as Flows

describe('the day before', () => {
  test.each([
    [100, 100, true, '='],
    [100, 100.2, true, '='],
    [112, 100, true, '+12\u202f%'],
    [70, 100, false, '−30\u202f%'],
    [1400, 100, true, '×14'],
    [0, 100, true, '−100\u202f%'],
    [5, 0, true, '✚ more'],
    [0, 0, true, '='],
    [5, undefined, true, '✚ not there'],
    [5, undefined, false, ''],
  ])('%d after %d (whole: %s) is %s', (now, then, whole, want) => {
    expect(difference(now, then, whole).replace(/\s/, ' ')).toBe(want.replace(/\s/, ' '))
  })

  test('has the bytes of each row', () => {
    const { volume, whole } = before(flows)
    expect([volume.get(rowKey(flows, 0)), volume.get(rowKey(flows, 1)), whole]).toEqual([3, 30, true])
    expect(before({ ...flows, rows: 3 }).whole).toBe(false)
    expect(before({ ...flows, partial: { missing: [], reason: 'slow' } } as Flows).whole).toBe(false)
  })

  test('is not known where the answer has no room for the row', () => {
    expect([known(7, false), known(undefined, true), known(undefined, false)]).toEqual([7, 0, NONE])
  })

  test('is asked for once a step', () => {
    const at = (end: number, window = 300) => dayBefore({ window, load: true, limit: 200 }, window, end)
    expect(at(1_000_000)).toEqual(at(1_000_010))
    expect(at(1_000_000)).not.toEqual(at(1_000_100))
    expect(at(1_000_000).end).toBe(999_960 - 86_400)
    expect(at(1_000_000)).toMatchObject({ load: undefined, limit: 1000, spark: 'none' })
    expect(at(1_200_000, 604_800).end).toBe(Math.floor(1_200_000 / 6048) * 6048 - 86_400)
  })
})
