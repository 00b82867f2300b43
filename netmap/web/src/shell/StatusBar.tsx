import type { Status } from '../api/types.ts'
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

/** Who reports, how fresh, what is held, what is not known and what was dropped. */
export function StatusBar({ status }: { status: Status | null }) {
  if (!status)
    return (
      <footer class="status">
        <span>Asking the collector …</span>
      </footer>
    )
  const stale = status.reporters.filter((r) => r.state === 'stale').length
  const dropped = Object.values(status.dropped).reduce((a, b) => a + b, 0)
  const newest = status.reporters.length ? Math.min(...status.reporters.map((r) => r.age)) : null
  const { store } = status
  return (
    <footer class="status">
      <details>
        <summary>
          <b>Reporters</b> {plural(status.reporters.length, 'host')}
          {stale ? `, ▲ ${stale} stale` : ''}
          {newest !== null && `, last report ${age(newest)} ago`}
        </summary>
        <table>
          <caption>Reporters</caption>
          <thead>
            <tr>
              <th>Host</th>
              <th>Node</th>
              <th>Last report</th>
              <th>Every</th>
              <th>Edges</th>
              <th>Points</th>
              <th>State</th>
            </tr>
          </thead>
          <tbody>
            {status.reporters.map((r) => (
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
      <span title={`${plural(store.folded, 'edge')} folded for want of room, ${store.expired} expired`}>
        <b>Store</b> {count(store.edges)} of {count(store.max_edges)} edges, {bytes(store.bytes)}
        {store.folded ? `, ▲ ${count(store.folded)} folded` : ''}
      </span>
      <span>
        <b>Unresolved</b> {percent(status.unresolved.share)} of bytes
      </span>
      <details class="drops">
        <summary>
          <b>Dropped</b> {dropped ? `▲ ${plural(dropped, 'point')}` : 'nothing'}
        </summary>
        <dl>
          {Object.entries(status.dropped).map(([why, n]) => (
            <div key={why}>
              <dt>{DROPS[why] ?? why}</dt>
              <dd>{count(n)}</dd>
            </div>
          ))}
        </dl>
      </details>
      <div class="grow" />
      <a href="LICENSES">Licences</a>
    </footer>
  )
}
