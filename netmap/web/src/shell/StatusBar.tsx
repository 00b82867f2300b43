import type { Reporter, Status } from '../api/types.ts'
import { age, bytes, count, percent, plural } from '../format.ts'
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
      <Reporters all={status.reporters} />
      <span title={`${plural(store.folded, 'edge')} folded for want of room, ${store.expired} expired`}>
        <b>Store</b> {count(store.edges)} of {count(store.max_edges)} edges, {bytes(store.bytes)}
        {store.folded ? `, ▲ ${count(store.folded)} folded` : ''}
      </span>
      <span>
        <b>Unresolved</b> {percent(status.unresolved.share)} of bytes
      </span>
      <Drops by={status.dropped} />
      <div class="grow" />
      <a href="LICENSES">Licences</a>
    </footer>
  )
}

const HEADS = ['Host', 'Node', 'Last report', 'Every', 'Edges', 'Points', 'State']

function Reporters({ all }: { all: Reporter[] }) {
  const stale = all.filter((r) => r.state === 'stale').length
  const newest = all.length ? Math.min(...all.map((r) => r.age)) : null
  return (
    <details>
      <summary>
        <b>Reporters</b> {plural(all.length, 'host')}
        {stale ? `, ▲ ${stale} stale` : ''}
        {newest !== null && `, last report ${age(newest)} ago`}
      </summary>
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
