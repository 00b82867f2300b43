import { useMemo, useState } from 'preact/hooks'
import type { Params } from '../api/client.ts'
import { flags, type Flows } from '../api/types.ts'
import { bytes, costOfDay, count, NONE, plural, rate, seconds } from '../format.ts'
import { glyphs, levelWords, type Health } from '../health.ts'
import { churn, retransmitRate } from '../metrics.ts'
import { fileName, save } from '../save.ts'
import type { Change } from '../state/address.ts'
import type { State } from '../state/state.ts'
import { kindWords } from '../tags.ts'
import { Name } from '../Text.tsx'
import { useHealth } from '../useHealth.ts'
import { before, difference, known, type Before } from './compare.ts'
import { csv } from './csv.ts'
import { everything } from './everything.ts'
import { hasLoad, LoadCells, LOADS } from './load.tsx'
import { LookupCells, LOOKUPS, looked, onlyLookups } from './lookups.tsx'
import { endName, kindsOf, measured, rowKey } from './rows.ts'
import { Sparkline } from './Sparkline.tsx'
import './TableView.css'

export const PAGE = 200

interface Column {
  id: string
  label: string
  title: string
}

/** The columns. The API sorts by those that have an id. */
const columns: Column[] = [
  { id: 'volume', label: 'Volume', title: 'Payload bytes, both directions' },
  { id: 'tx', label: 'Sent', title: 'From client to server' },
  { id: 'rx', label: 'Received', title: 'From server to client' },
  { id: '', label: 'Throughput', title: 'Bytes a second, both directions, and their course' },
  { id: 'retransmits', label: 'Resent', title: 'Segments sent again, and how many in a megabyte' },
  { id: 'rtt', label: 'Round trip', title: 'Mean, and the upper bound of the slowest samples' },
  { id: 'attempts', label: 'Attempts', title: 'Connections tried' },
  { id: 'failures', label: 'Failures', title: 'Attempts that failed, by kind' },
  { id: 'closed', label: 'Closed', title: 'Connections that ended, and those that broke' },
  { id: 'active', label: 'Open', title: 'Connections open at the end' },
]

const BEFORE: Column = { id: '', label: 'Day before', title: 'Bytes of the same window a day before, and the change' }

const COST: Column = {
  id: 'cost',
  label: 'Cost a day',
  title: 'Bytes between zones and regions, at the configured prices',
}

/**
 * The columns of an answer. What the bytes cost is beside them, in sight on any page. The load of the ends is beside
 * their attempts, which cause it where they are many.
 */
function columnsOf(flows: Flows, state: State, comparing: boolean): Column[] {
  if (onlyLookups(state)) return LOOKUPS
  const all = columns.flatMap((c) => (c.id === 'attempts' && hasLoad(flows) ? [c, ...LOADS] : [c]))
  all.splice(1, 0, ...(flows.cost ? [COST] : []), ...(comparing ? [BEFORE] : []))
  return [...all, ...(looked(flows) ? LOOKUPS : [])]
}

interface Props {
  flows: Flows
  /** Of the costs. */
  currency: string
  state: State
  change: Change
  params: Params
  limit: number
  /** The same a day before; null while it is not known. */
  then: Flows | null
  comparing: boolean
  more(): void
}

export function TableView(props: Props) {
  const { flows, state, change, then } = props
  const past = useMemo(() => then && before(then), [then])
  return (
    <section class="dependencies" aria-label="Dependencies">
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of dependencies">
        <table>
          <caption class="unseen">Dependencies: {plural(flows.rows, 'row')}. A row opens its details.</caption>
          <thead>
            <tr>
              <Head
                column={{ id: 'client', label: 'Client', title: 'Who connected' }}
                state={state}
                change={change}
                text
              />
              <Head
                column={{ id: 'server', label: 'Server', title: 'Who was connected to' }}
                state={state}
                change={change}
                text
              />
              {columnsOf(flows, state, props.comparing).map((c) => (
                <Head key={c.label} column={c} state={state} change={change} />
              ))}
            </tr>
          </thead>
          <tbody>
            {flows.client.map((_, i) => (
              <Row key={rowKey(flows, i)} {...props} i={i} past={past} />
            ))}
          </tbody>
        </table>
      </div>
      <Foot {...props} />
    </section>
  )
}

function Head({ column, state, change, text }: { column: Column; state: State; change: Change; text?: boolean }) {
  const down = '-' + column.id
  const sorted = state.sort === down ? 'descending' : state.sort === column.id ? 'ascending' : undefined
  if (!column.id)
    return (
      <th scope="col" title={column.title}>
        {column.label}
      </th>
    )
  const next = text ? (sorted === 'ascending' ? down : column.id) : sorted === 'descending' ? column.id : down
  return (
    <th scope="col" class={text ? 'text' : undefined} aria-sort={sorted} title={column.title}>
      <button type="button" onClick={() => change({ sort: next })}>
        {column.label}
        <span aria-hidden="true">{sorted === 'descending' ? ' ▾' : sorted === 'ascending' ? ' ▴' : ''}</span>
      </button>
    </th>
  )
}

function Row({ flows, i, state, change, currency, comparing, past }: Props & { i: number; past: Before | null }) {
  const id = rowKey(flows, i)
  const selected = state.selected?.kind === 'row' && state.selected.id === id
  const open = () => change({ selected: { kind: 'row', id } })
  return (
    <tr class={selected ? 'selected' : undefined} onClick={open}>
      <th scope="row">
        <Opener flows={flows} i={i} colour={useHealth(state.colour)} selected={selected} open={open} />
      </th>
      <td class="text">
        <End flows={flows} i={i} side="server" />
        {(flags.isNew & flows.flags[i]!) !== 0 && <small class="new"> ✚ new</small>}
        {(flags.through & flows.flags[i]!) !== 0 && <small> through ztunnel</small>}
      </td>
      {!onlyLookups(state) && <Cells flows={flows} i={i} currency={currency} comparing={comparing} past={past} />}
      {(onlyLookups(state) || looked(flows)) && <LookupCells flows={flows} i={i} />}
    </tr>
  )
}

interface OpenerProps {
  flows: Flows
  i: number
  colour: Health
  selected: boolean
  open(): void
}

/** The client of a row, a button that opens the details. */
function Opener({ flows, i, colour, selected, open }: OpenerProps) {
  const m = measured(flows, i)
  const level = colour.level(m)
  const server = endName(flows.servers, flows.server[i]!, flows.server_name[i]!)
  return (
    <button
      type="button"
      class="row"
      aria-expanded={selected}
      onClick={(e) => {
        e.stopPropagation()
        open()
      }}
    >
      {glyphs[level] && (
        <b class={`level ${level}`} title={colour.tell(m)}>
          <span aria-hidden="true">{glyphs[level]} </span>
          <span class="unseen">
            {levelWords[level]}: {colour.tell(m)}.{' '}
          </span>
        </b>
      )}
      <End flows={flows} i={i} side="client" />
      <span class="unseen">
        {' '}
        to <Name of={server.name} /> <Name of={server.more} />: details
      </span>
    </button>
  )
}

/** The name of one end of a row, and the state of the alerts about it. */
function End({ flows, i, side }: { flows: Flows; i: number; side: 'client' | 'server' }) {
  const { name, more } = endName(flows[`${side}s`], flows[side][i]!, flows[`${side}_name`][i]!)
  const words = kindWords[flows.kinds[flows[`${side}_kind`][i]!]!]
  const has = (state: 'Firing' | 'Pending') => flows.flags[i]! & flags[`${side}${state}`]
  return (
    <>
      <span class="name">
        <Name of={name} />
      </span>
      <small>
        <Name of={more} />
        {words && ' ' + words}
      </small>
      {has('Firing') ? (
        <small class="level bad"> ◉ alert firing</small>
      ) : has('Pending') ? (
        <small class="level warn"> ◎ alert pending</small>
      ) : null}
    </>
  )
}

interface CellsProps {
  flows: Flows
  i: number
  currency: string
  comparing: boolean
  past: Before | null
}

/** The figures of the connections of a row, a cell a column. */
function Cells({ flows, i, currency, comparing, past }: CellsProps) {
  const m = measured(flows, i)
  const volume = m.tx + m.rx
  const perMB = retransmitRate(m)
  const spark = flows.spark?.values[i]
  const slowest = flows.rtt_max[i] ?? null
  return (
    <>
      <td>{bytes(volume)}</td>
      {flows.cost && <td class="cost">{costOfDay(flows.cost[i], flows.seconds, currency)}</td>}
      {comparing && <Then now={volume} id={rowKey(flows, i)} past={past} />}
      <td>{bytes(m.tx)}</td>
      <td>{bytes(m.rx)}</td>
      <td class="course">
        {rate(m.seconds ? volume / m.seconds : 0)}
        {spark && <Sparkline values={spark} />}
      </td>
      <td>
        {count(m.retransmits)}
        {m.retransmits > 0 && perMB !== null && <small>{count(perMB)}/MB</small>}
      </td>
      <td>
        {seconds(m.rtt)}
        {slowest !== null && <small>≤ {seconds(slowest)}</small>}
      </td>
      <td>
        {count(m.attempts)}
        {m.attempts > 0 && m.seconds > 0 && <small>{count(churn(m))}/s</small>}
      </td>
      {hasLoad(flows) && <LoadCells flows={flows} i={i} />}
      <td class="by-kind">
        {count(m.failures)}
        {m.failures > 0 && <small>{kindsOf(flows.failures_by, i)}</small>}
      </td>
      <td class="by-kind">
        {count(m.closed)}
        {m.breaks > 0 && <small>{kindsOf(flows.breaks_by, i) || `${count(m.breaks)} broken`}</small>}
      </td>
      <td>{count(m.active)}</td>
    </>
  )
}

/** The bytes of a row a day before. */
function Then({ now, id, past }: { now: number; id: string; past: Before | null }) {
  if (!past) return <td>{NONE}</td>
  const then = past.volume.get(id)
  const bytesThen = known(then, past.whole)
  return (
    <td>
      {typeof bytesThen === 'number' ? bytes(bytesThen) : bytesThen}
      <small>{difference(now, then, past.whole)}</small>
    </td>
  )
}

function Foot({ flows, params, limit, more }: Props) {
  const [failed, setFailed] = useState('')
  const [busy, setBusy] = useState(false)
  const download = async () => {
    setBusy(true)
    setFailed('')
    try {
      save(fileName('dependencies', 'csv'), new Blob([csv(await everything(params))], { type: 'text/csv' }))
    } catch (err) {
      setFailed(`The export failed: ${err instanceof Error ? err.message : err}.`)
    }
    setBusy(false)
  }
  const shown = flows.client.length
  return (
    <div class="table-foot">
      <span>
        {shown < flows.rows
          ? `${count(shown)} of ${plural(flows.rows, 'row')}; totals are of all`
          : plural(flows.rows, 'row')}
      </span>
      {shown < flows.rows && limit < 1000 && (
        <button type="button" onClick={more}>
          Show more
        </button>
      )}
      <div class="grow" />
      {failed && (
        <span role="alert" class="level bad">
          {failed}
        </span>
      )}
      <button type="button" disabled={busy} onClick={() => void download()}>
        {busy ? 'Exporting …' : 'Export CSV'}
      </button>
    </div>
  )
}
