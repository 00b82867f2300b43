import type { Calls, Deployment, Event, Line, Side, Signals as Answer, Span, Usage } from '../api/signals.ts'
import type { Link, Series } from '../api/types.ts'
import { bytes, count, cpus, percent, plural, seconds } from '../format.ts'
import { Name } from '../Text.tsx'
import { pointAt } from './Charts.tsx'
import {
  anything,
  churn,
  connectionFacts,
  listId,
  SIDES,
  silence,
  traceUrl,
  used,
  without,
  type ListOf,
  type SideName,
} from './signals.ts'
import './Signals.css'

interface Props {
  signals: Answer
  series: Series
  links: Link[]
}

/** CPU and memory, calls, logs and connections of both ends. */
export function Signals({ signals: s, series, links }: Props) {
  if (!anything(s)) {
    return (
      <p class="quiet signals-none">
        No traces, logs or container metrics reach the map: its exporter netmap takes them too.
      </p>
    )
  }
  const advice = churn(series, s)
  return (
    <section class="signals" aria-label="CPU, calls, logs and connections">
      {advice && <p class="level warn churn">▲ {advice}</p>}
      <Deployments all={s.deployments} />
      {SIDES.map((name) => s[name] && <SideView key={name} side={s[name]} name={name} all={s} links={links} />)}
    </section>
  )
}

/** Marks in the charts, in words. */
function Deployments({ all }: { all: Deployment[] }) {
  if (!all.length) return null
  return (
    <ul class="deployments" aria-label="Deployments">
      {all.map((d, i) => (
        <li key={i} onMouseEnter={() => pointAt(d.at)}>
          <Clock at={d.at} /> <b class="new">⚑ deployed</b> <Name of={d.name} /> <Name of={d.before} /> →{' '}
          <Name of={d.image_tag} />
        </li>
      ))}
    </ul>
  )
}

interface SideProps {
  side: Side
  name: SideName
  all: Answer
  links: Link[]
}

function SideView({ side, name, all, links }: SideProps) {
  const nothing = silence(all, name)
  return (
    <section class="side" aria-label={`Signals of the ${name}`}>
      <h3>
        {name === 'client' ? 'Client' : 'Server'}{' '}
        <small>{side.sources > 0 && `all its calls and logs, from ${plural(side.sources, 'source')}`}</small>
      </h3>
      {nothing && !side.events.length && <p class="quiet">{nothing}</p>}
      <Usages all={side.resources} />
      <CallsView side={name} of="served" calls={side.served} links={links} />
      <CallsView side={name} of="made" calls={side.made} links={links} />
      {side.errors.length > 0 && (
        <List
          id={listId(name, 'errors')}
          title={`Error logs (last ${side.errors.length} of ${plural(side.log_records, 'record')})`}
        >
          {side.errors.slice(0, MOST).map((l, i) => (
            <LogLine key={i} line={l} links={links} />
          ))}
        </List>
      )}
      {side.events.length > 0 && (
        <List id={`${name} events`} title="Last events of connections">
          {side.events.slice(0, MOST).map((e, i) => (
            <EventLine key={i} event={e} />
          ))}
        </List>
      )}
    </section>
  )
}

/** How many elements of a list are shown. */
const MOST = 10

function Usages({ all }: { all: Usage[] }) {
  if (!all.length) return null
  return (
    <table class="usage">
      <thead>
        <tr>
          <th scope="col">Container</th>
          <th scope="col">CPU</th>
          <th scope="col">Memory</th>
          <th scope="col">Restarts</th>
        </tr>
      </thead>
      <tbody>
        {all.slice(0, MOST).map((u, i) => (
          <tr key={i}>
            <th scope="row">
              <Name of={u.name} />
              {u.pod && (
                <small>
                  {' '}
                  <Name of={u.pod} />
                </small>
              )}
            </th>
            <Share {...used(u.cpu, u.cpu_limit, cpus)} />
            <Share {...used(u.memory, u.memory_limit, bytes)} />
            <td>{u.restarts === null ? '–' : count(u.restarts)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Share({ text, level }: ReturnType<typeof used>) {
  const sign = level === 'bad' ? '✖ ' : level === 'warn' ? '▲ ' : ''
  return <td class={sign ? `level ${level}` : ''}>{sign + text}</td>
}

interface CallsProps {
  side: SideName
  of: 'served' | 'made'
  calls: Calls
  links: Link[]
}

function CallsView({ side, of, calls: c, links }: CallsProps) {
  if (!c.n) return null
  const title = `Calls ${of}`
  const id = (list: 'failed' | 'slowest') => listId(side, `${of} ${list}` satisfies ListOf)
  const slow = without(c.slowest, c.failed)
  return (
    <section class="calls" aria-label={title}>
      <h4>
        {title}: {count(c.n)}, {count(c.errors)} failed ({percent(c.errors / c.n)}); median {seconds(c.p50)}, p95{' '}
        {seconds(c.p95)}, slowest {seconds(c.max)}
        {c.sampled > 0 && `; sampled, of about ${count(c.estimated)}`}
      </h4>
      {c.failed.length > 0 && (
        <List id={id('failed')} title="Failed calls">
          {c.failed.slice(0, MOST).map((s, i) => (
            <SpanLine key={s.trace_id + s.span_id + i} span={s} links={links} />
          ))}
        </List>
      )}
      {slow.length > 0 && (
        <List id={id('slowest')} title="Slowest calls">
          {slow.slice(0, MOST).map((s, i) => (
            <SpanLine key={s.trace_id + s.span_id + i} span={s} links={links} />
          ))}
        </List>
      )}
    </section>
  )
}

function List({ id, title, children }: { id: string; title: string; children: preact.ComponentChildren }) {
  return (
    <div class="list" data-list={id} tabIndex={-1}>
      <h5>{title}</h5>
      <ul aria-label={title}>{children}</ul>
    </div>
  )
}

function SpanLine({ span: s, links }: { span: Span; links: Link[] }) {
  const facts: [string, string][] = [
    ['Service', s.service],
    ['Pod', s.pod],
    ['Kind', s.kind],
    ['Message', s.message],
    ['Called from', s.peer],
    ['Connection', s.connection ? connectionFacts(s.connection) : ''],
  ]
  return (
    <li onMouseEnter={() => pointAt(s.at)}>
      <details class="span">
        <summary>
          <Clock at={s.at} /> <b>{seconds(s.duration)}</b> <Name of={s.name} />
          {s.failed && (
            <span class="level bad">
              {' '}
              ✖ <Name of={s.code || 'failed'} />
            </span>
          )}
          {s.sampled && <small> sampled</small>}
        </summary>
        <dl>
          {facts
            .filter(([, value]) => value)
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <Name of={value} />
                </dd>
              </div>
            ))}
          <div>
            <dt>Trace</dt>
            <dd>
              <Trace of={s} links={links} />
            </dd>
          </div>
        </dl>
      </details>
    </li>
  )
}

/** The id of a trace, as a link if the operator has configured one. */
function Trace({ of, links }: { of: Span | Line; links: Link[] }) {
  if (!of.trace_id) return null
  const url = traceUrl(links, of)
  if (!url) return <code>{of.trace_id}</code>
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      <code>{of.trace_id}</code> <span aria-hidden="true">↗</span>
    </a>
  )
}

function LogLine({ line: l, links }: { line: Line; links: Link[] }) {
  return (
    <li onMouseEnter={() => pointAt(l.at)}>
      <Clock at={l.at} /> <b class="level bad">✖ {l.severity}</b> <Name of={l.pod || l.name} />: <Name of={l.body} />{' '}
      <Trace of={l} links={links} />
    </li>
  )
}

function EventLine({ event: e }: { event: Event }) {
  return (
    <li onMouseEnter={() => pointAt(e.at)}>
      <Clock at={e.at} /> {e.warn && <b class="level bad">✖ </b>}
      <Name of={connectionFacts(e)} />
      {e.body && (
        <small>
          {' '}
          <Name of={e.body} />
        </small>
      )}
    </li>
  )
}

function Clock({ at }: { at: number }) {
  return <time>{new Date(at * 1000).toLocaleTimeString()}</time>
}
