import type { Flows } from '../api/types.ts'
import { count, percent, seconds } from '../format.ts'
import { lookupFailureShare } from '../metrics.ts'
import type { State } from '../state/state.ts'
import { kindsOf, measured } from './rows.ts'

/** The columns of DNS. */
export const LOOKUPS = [
  { id: 'lookups', label: 'Look-ups', title: 'Names asked for by DNS, and how they were answered' },
  {
    id: 'lookup_failures',
    label: 'Failed look-ups',
    title: 'Without an answer, or with an error other than NXDOMAIN: that a name does not exist is an answer',
  },
  { id: 'lookup_time', label: 'Look-up time', title: 'Mean time from the query to the response' },
]

/** Reports whether there are look-ups in any row. */
export const looked = (flows: Flows) => flows.totals.lookups > 0

/** Reports whether the table has edges with look-ups only, so that the columns of connections are empty. */
export const onlyLookups = (state: State) => state.only.split(',').includes('lookups')

export function LookupCells({ flows, i }: { flows: Flows; i: number }) {
  const m = measured(flows, i)
  return (
    <>
      <td>
        {count(m.lookups)}
        {m.lookups > 0 && <small>{kindsOf(flows.lookups_by, i)}</small>}
      </td>
      <td>
        {count(m.lookupFailures)}
        {m.lookupFailures > 0 && <small>{percent(lookupFailureShare(m))}</small>}
      </td>
      <td>{seconds(m.lookupTime)}</td>
    </>
  )
}
