import type { Params } from '../api/client.ts'
import type { Flows } from '../api/types.ts'
import { NONE, percent } from '../format.ts'
import { rowKey } from './rows.ts'

const DAY = 86_400
/** The most rows that the API answers. */
const MOST = 1000

/** The parameters of the same table a day before. They change once a step, so that not every refresh asks again. */
export function dayBefore(params: Params, window: number, end: number): Params {
  const step = Math.max(60, Math.ceil(window / 100))
  return {
    ...params,
    load: undefined,
    spark: 'none',
    sort: '-volume',
    limit: MOST,
    end: Math.floor(end / step) * step - DAY,
  }
}

/** The bytes of the day before. */
export interface Before {
  /** By the key of the row. */
  volume: Map<string, number>
  /** It has all rows, so a row that it lacks was not there. */
  whole: boolean
}

export function before(flows: Flows): Before {
  const volume = new Map(flows.client.map((_, i) => [rowKey(flows, i), flows.tx[i]! + flows.rx[i]!]))
  return { volume, whole: flows.client.length === flows.rows && !flows.partial }
}

/** How a volume differs from that of the day before: "+12 %", "×14", "✚ not there". */
export function difference(now: number, then: number | undefined, whole: boolean): string {
  if (then === undefined) return whole ? '✚ not there' : ''
  if (!then) return now ? '✚ more' : '='
  const ratio = now / then
  if (ratio >= 10) return `×${Math.round(ratio).toLocaleString('en')}`
  const change = Math.abs(ratio - 1)
  if (change < 0.005) return '='
  return (ratio > 1 ? '+' : '−') + percent(change)
}

/** What a cell shows of a row that the answer of the day before may lack. */
export function known(then: number | undefined, whole: boolean): number | string {
  return then ?? (whole ? 0 : NONE)
}
