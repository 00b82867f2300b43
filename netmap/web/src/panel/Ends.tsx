import { flags, type Edge, type Link } from '../api/types.ts'
import { bytes, count, plural, seconds } from '../format.ts'
import { errorName, kindWords, tagName } from '../tags.ts'
import type { Nat } from '../names.ts'
import { Name } from '../Text.tsx'
import { endTitle } from './ends.ts'
import { fill, linkValues, type EndName } from './links.ts'
import './Ends.css'

const untranslated: Nat = 'none'

interface Props {
  edges: Edge[]
  count: number
  links: Link[]
  from: number
  to: number
}

/** The edges that make up a figure, with all that is known of both ends. */
export function Ends({ edges, count: all, links, from, to }: Props) {
  return (
    <section class="ends">
      <h3>
        Endpoints{' '}
        <small>
          {all > edges.length ? `${edges.length} of ${plural(all, 'edge')}, most volume first` : plural(all, 'edge')}
        </small>
      </h3>
      {edges.map((e, i) => (
        <End key={edgeKey(e)} edge={e} open={i === 0} links={links} from={from} to={to} />
      ))}
    </section>
  )
}

const edgeKey = (e: Edge) => JSON.stringify([e.client, e.server, e.edge])

function End({ edge: e, open, links, from, to }: { edge: Edge; open: boolean } & Pick<Props, 'links' | 'from' | 'to'>) {
  const translated = e.edge.nat && e.edge.nat !== untranslated
  return (
    <details class="edge" open={open}>
      <summary>
        <Title of={e.client} /> → <Title of={e.server} />
        {e.edge.port && <>:{e.edge.port}</>} <small>{bytes(e.tx + e.rx)}</small>
        {(e.flags & flags.through) !== 0 && <small> through ztunnel</small>}
        {(e.flags & flags.isNew) !== 0 && <small class="new"> ✚ new</small>}
      </summary>
      {(translated || e.edge.original) && <Translation of={e} />}
      <div class="both">
        <Attributes title="Client" of={e} end="client" links={links} from={from} to={to} />
        <Attributes title="Server" of={e} end="server" links={links} from={from} to={to} />
      </div>
      <dl class="pairs">
        {facts(e).map(([name, value], i) => (
          <div key={i}>
            <dt>{name}</dt>
            <dd>
              <Name of={value} />
            </dd>
          </div>
        ))}
      </dl>
    </details>
  )
}

/** The destination that the client asked for, and the server that it was connected to. */
function Translation({ of: e }: { of: Edge }) {
  return (
    <p class="translation">
      Asked for{' '}
      <b>
        <Name of={original(e)} />
        {e.edge['original.port'] && ':' + e.edge['original.port']}
      </b>
      , connected to{' '}
      <b>
        <Name of={endTitle(e.server)} />
        {e.edge.port && ':' + e.edge.port}
      </b>{' '}
      <small>(NAT: {e.edge.nat})</small>
    </p>
  )
}

/** The properties of the edge itself, by label, its tags first. */
function facts(e: Edge): [string, string][] {
  return [
    ...Object.entries(e.edge).map(([tag, value]): [string, string] => [tagName(tag), value]),
    ['Reported by', e.reported_by.join(' and ')],
    ['Failures', told(e.failures_by, e.failures)],
    ['Breaks', told(e.breaks_by, e.breaks)],
    ['Handshake', seconds(e.handshake)],
    ...(e.lookups > 0 ? lookupFacts(e) : []),
    ['First seen', moment(e.first)],
    ['Last active', moment(e.last)],
  ]
}

const lookupFacts = (e: Edge): [string, string][] => [
  ['Look-ups', [count(e.lookups), told(e.lookups_by, 0)].filter((s) => s !== '0').join(': ')],
  ['Look-up time', seconds(e.lookup_time)],
]

const moment = (s: number) => (s ? new Date(s * 1000).toLocaleString() : 'not known')

function Title({ of }: { of: Record<string, string> }) {
  return (
    <span class="name">
      <Name of={endTitle(of)} />
    </span>
  )
}

function original(e: Edge): string {
  return e.edge.original || e.edge['original.address'] || 'an address that is not reported'
}

function told(by: Record<string, number>, all: number): string {
  const kinds = Object.entries(by).map(([type, n]) => `${count(n)} ${errorName(type)}`)
  return kinds.length ? kinds.join(', ') : count(all)
}

interface AttributesProps extends Pick<Props, 'links' | 'from' | 'to'> {
  title: string
  of: Edge
  end: EndName
}

function Attributes({ title, of, end, links, from, to }: AttributesProps) {
  const values = linkValues(of, end)
  const kind = kindWords[of[`${end}_kind`]]
  const filled = links.flatMap((l) => {
    const url = fill(l, values, from, to)
    return url ? [{ ...l, url }] : []
  })
  return (
    <div class="end">
      <h4>
        {title}
        {kind && <small> {kind}</small>}
      </h4>
      <dl>
        {Object.entries(of[end])
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <Name of={value} />
              </dd>
            </div>
          ))}
      </dl>
      {filled.length > 0 && (
        <p class="links">
          {filled.map((l) => (
            <a key={l.name} href={l.url} target="_blank" rel="noopener noreferrer">
              {l.name} <span aria-hidden="true">↗</span>
            </a>
          ))}
        </p>
      )}
    </div>
  )
}
