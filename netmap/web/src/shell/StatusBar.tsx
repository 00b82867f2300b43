import { useState } from 'preact/hooks'
import { address } from '../api/client.ts'
import { usePoll } from '../api/poll.ts'
import type { AlertList, Reporter, Status } from '../api/types.ts'
import { age, bytes, count, percent, plural } from '../format.ts'
import { alertWords } from '../health.ts'
import { AlertItems } from '../panel/Alerts.tsx'
import { Name } from '../Text.tsx'
import './StatusBar.css'

const DROPS: Record<string, string> = {
  late: 'older than what is held',
  out_of_order: 'out of order',
  streams: 'no room to remember the last value',
  values: 'no number, or negative',
  points: 'of an unexpected type',
}

/** The reporters and the age of their reports, the size of the store, the unresolved share, and dropped points. */
export function StatusBar({ status }: { status: Status | null }) {
  if (!status)
    return (
      <footer class="status">
        <span>Asking the collector …</span>
      </footer>
    )
  const { store } = status
  return (
    <footer class="status">
      <Reporters status={status} />
      <span title={`${plural(store.folded, 'edge')} folded for want of room, ${store.expired} expired`}>
        <b>Store</b> {count(store.edges)} of {count(store.max_edges)} edges, {bytes(store.bytes)}
        {store.folded ? `, ▲ ${count(store.folded)} folded` : ''}
      </span>
      <span>
        <b>Unresolved</b> {percent(status.unresolved.share)} of bytes
      </span>
      {status.alerts.state !== 'off' && <AllAlerts of={status} />}
      <Drops by={status.dropped} />
      <div class="grow" />
      <a href="LICENSES">Licences</a>
    </footer>
  )
}

const HEADS = ['Host', 'Node', 'Last report', 'Every', 'Edges', 'Points', 'State']

/** How many hosts one answer of the status has. */
const PAGE = 100

function Reporters({ status }: { status: Status }) {
  const [from, setFrom] = useState(0)
  const page = usePoll<Status>(from ? address('status', { offset: from }) : null)
  const { total, stale, age: newest } = status.hosts
  const to = Math.min(from + PAGE, total)
  return (
    <details>
      <summary>
        <b>Reporters</b> {plural(total, 'host')}
        {stale ? `, ▲ ${stale} stale` : ''}
        {newest !== null && `, last report ${age(newest)} ago`}
      </summary>
      <div class="hosts">
        {total > PAGE && (
          <nav aria-label="Pages of reporters">
            <button disabled={from === 0} onClick={() => setFrom(Math.max(0, from - PAGE))}>
              Previous
            </button>
            <span>
              {count(from + 1)} to {count(to)} of {count(total)}
            </span>
            <button disabled={to >= total} onClick={() => setFrom(from + PAGE)}>
              Next
            </button>
          </nav>
        )}
        <Hosts all={from ? (page.data?.reporters ?? []) : status.reporters} />
      </div>
    </details>
  )
}

function Hosts({ all }: { all: Reporter[] }) {
  return (
    <table>
      <caption>Reporters</caption>
      <thead>
        <tr>
          {HEADS.map((head) => (
            <th key={head}>{head}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {all.map((r) => (
          <tr key={r.host_id + r.host}>
            <td>
              <Name of={r.host || r.host_id || 'unnamed'} />
            </td>
            <td>
              <Name of={r.node} />
            </td>
            <td>{age(r.age)} ago</td>
            <td>{age(r.interval)}</td>
            <td>{count(r.edges)}</td>
            <td>{count(r.points)}</td>
            <td>{r.state === 'stale' ? '▲ stale' : 'ok'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** All alerts, also those about ends that the view does not have. They are requested while the list is open. */
function AllAlerts({ of: { alerts } }: { of: Status }) {
  const [open, setOpen] = useState(false)
  const { data } = usePoll<AlertList>(open ? address('alerts') : null)
  const unknown = { starting: 'not known yet', unreachable: '▲ the source does not answer' }
  const words = [alertWords(alerts), (unknown as Record<string, string>)[alerts.state]].filter(Boolean).join(', ')
  return (
    <details onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        <b>Alerts</b> {words || 'none'}
      </summary>
      <div class="hosts">{data?.alerts?.length ? <AlertItems all={data.alerts} /> : 'No alert.'}</div>
    </details>
  )
}

function Drops({ by }: { by: Record<string, number> }) {
  const all = Object.values(by).reduce((a, b) => a + b, 0)
  return (
    <details class="drops">
      <summary>
        <b>Dropped</b> {all ? `▲ ${plural(all, 'point')}` : 'nothing'}
      </summary>
      <dl>
        {Object.entries(by).map(([reason, n]) => (
          <div key={reason}>
            <dt>{DROPS[reason] ?? reason}</dt>
            <dd>{count(n)}</dd>
          </div>
        ))}
      </dl>
    </details>
  )
}
