import { useEffect, useRef } from 'preact/hooks'
import { address, type Params } from '../api/client.ts'
import { usePoll, type Poll } from '../api/poll.ts'
import type { Signals as Known } from '../api/signals.ts'
import { flags, type Link, type Series } from '../api/types.ts'
import { withTerms } from '../filter/complete.ts'
import { bytes, count, percent, rate, seconds } from '../format.ts'
import { hopTerms, termsOf, type Identity } from '../map/key.ts'
import { known, type MapEdge, type Model } from '../map/model.ts'
import type { Change } from '../state/address.ts'
import type { Selection, State } from '../state/state.ts'
import { endName, rowOf, rowTerms } from '../table/rows.ts'
import { fullName, kindWords, nodeName } from '../tags.ts'
import { isolated, legible } from '../text.ts'
import { Name, Text } from '../Text.tsx'
import { useHealth } from '../useHealth.ts'
import { Alerts } from './Alerts.tsx'
import { alertsOf } from './alerts.ts'
import { Charts, pictures } from './Charts.tsx'
import { Ends } from './Ends.tsx'
import { Glances } from './Glances.tsx'
import { Signals } from './Signals.tsx'
import { signalPictures } from './signals.ts'
import './Panel.css'

interface Props {
  state: State
  change: Change
  model: Model | null
  links: Link[]
  /** Hops within a pod that the page's figures leave out. */
  folded: number
  /** The parameters of the page's own requests. */
  params: Params
}

/** A part of the selection: the edges that match these terms and the page's filter. */
interface Part {
  heading: string
  terms: string[]
  /** The ends that the selection is about. */
  of: 'both' | 'client' | 'server'
}

export function Panel(props: Props) {
  const { state, change } = props
  const chosen = state.selected
  const key = JSON.stringify(chosen)
  const { panel, close } = useFocus(key, () => change({ selected: null }))
  if (!chosen) return null
  const what = describe(chosen, props)
  return (
    <aside
      id="panel"
      class="panel"
      aria-label={what ? `Details of ${what.title}` : 'Details'}
      tabIndex={-1}
      ref={panel}
    >
      <div class="panel-head">
        <h2>
          <Text of={what?.title ?? 'Gone'} />
          {what?.note && (
            <small>
              {' '}
              <Text of={what.note} />
            </small>
          )}
        </h2>
        <button type="button" class="close" aria-label="Close the details" onClick={close}>
          ×
        </button>
      </div>
      {what ? (
        <Chosen key={key} {...props} chosen={chosen} what={what} />
      ) : (
        <p class="quiet">The address names something that this view does not have.</p>
      )}
    </aside>
  )
}

/**
 * Keeps the focus of the keyboard. It stays in the panel when the selection changes there. Escape closes the panel
 * from anywhere, and closing returns the focus to the element that opened it.
 */
function useFocus(key: string, closed: () => void) {
  const panel = useRef<HTMLElement>(null)
  const opener = useRef<Element | null>(null)
  const inside = useRef(false)
  const close = () => {
    closed()
    if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus()
  }
  const latest = useRef(close)
  latest.current = close
  useEffect(() => {
    const moved = () => {
      const active = document.activeElement
      if (active && active !== document.body) inside.current = panel.current?.contains(active) ?? false
    }
    const pressed = (e: KeyboardEvent) => {
      if (e.key === 'Escape' && !e.defaultPrevented) latest.current()
    }
    document.addEventListener('focusin', moved)
    document.addEventListener('keydown', pressed)
    return () => {
      document.removeEventListener('focusin', moved)
      document.removeEventListener('keydown', pressed)
    }
  }, [])
  useEffect(() => {
    if (inside.current) panel.current?.focus()
    else opener.current = document.activeElement
  }, [key])
  return { panel, close }
}

interface Described {
  title: string
  note: string
  /** A text to show if there are no parts. */
  hint?: string
  parts: Part[]
  /** The tags that clients are drawn by. */
  by: string[]
}

function describe(chosen: Selection, { state, folded, model }: Props): Described | null {
  const { by, group } = state
  const hops = (tags: string[]) => hopTerms(tags, { shown: state.loops, folded })
  if (chosen.kind === 'node') {
    const id = known(model, chosen.id)
    if (!id) return null
    if (isFolded(id)) return { title: isolated(nodeName(id)), note: note(id), hint: FOLDED, parts: [], by: [] }
    return {
      title: isolated(nodeName(id)),
      note: note(id),
      by: [by, group],
      parts: [
        {
          heading: 'As client: what it connects to',
          of: 'client',
          terms: [...termsOf('client', id, by, group), ...hops([by])],
        },
        {
          heading: 'As server: who connects to it',
          of: 'server',
          terms: [...termsOf('server', id, by, group), ...hops([by])],
        },
      ],
    }
  }
  if (chosen.kind === 'edge') {
    const [a, b] = [known(model, chosen.from), known(model, chosen.to)]
    if (!a || !b) return null
    const title = `${fullName(a)} → ${fullName(b)}`
    if (isFolded(a) || isFolded(b)) return { title, note: '', hint: FOLDED, parts: [], by: [] }
    const edge = model?.edges.find((e) => e.from === chosen.from && e.to === chosen.to)
    return {
      title,
      note: edge && edge.flags & flags.through ? 'through ztunnel' : '',
      by: [by, group],
      parts: [
        {
          heading: '',
          of: 'both',
          terms: [...termsOf('client', a, by, group), ...termsOf('server', b, by, group), ...hops([by])],
        },
      ],
    }
  }
  const [clients, servers] = [state.clients.split(','), state.servers.split(',')]
  const row = rowOf(chosen.id, clients, servers)
  if (!row) return null
  const [client, server] = [
    endName(clients, row.client.values, row.client.name),
    endName(servers, row.server.values, row.server.name),
  ]
  const more = server.more.startsWith(':') ? legible(server.more) : ' ' + isolated(server.more)
  return {
    title: `${isolated(client.name)} → ${isolated(server.name)}${more}`.trim(),
    note: '',
    by: clients,
    parts: [
      { heading: '', of: 'both', terms: [...rowTerms(row, clients, servers), ...hops([...clients, ...servers])] },
    ],
  }
}

/** No filter can select folded nodes, because folding comes after the filter. */
const isFolded = (id: Identity) => id.kind === 'other' && id.tag === ''
const FOLDED = 'Many are folded into this one. To see them by name, filter, group, or put a node in focus.'

function note(id: Identity): string {
  return [isolated(id.group), kindWords[id.kind]].filter(Boolean).join(', ')
}

function Chosen({ state, change, model, links, chosen, what, ...p }: Props & { chosen: Selection; what: Described }) {
  const params = { ...p.params, by: what.by.filter(Boolean).join(',') }
  const [first, second] = what.parts
  const polls = [useSeries(first, state, params), useSeries(second, state, params)]
  return (
    <>
      <div class="actions">
        {chosen.kind === 'node' && (
          <>
            <button type="button" onClick={() => change({ focus: chosen.id })} disabled={state.focus === chosen.id}>
              Focus
            </button>
            <button type="button" onClick={() => change({ hide: [...state.hide, chosen.id], selected: null })}>
              Hide
            </button>
          </>
        )}
        {what.parts.map((p, i) => (
          <button
            key={i}
            type="button"
            onClick={() => change({ filter: withTerms(state.filter, p.terms), view: 'table', selected: null })}
          >
            {what.parts.length > 1 ? (i ? 'Filter: as server' : 'Filter: as client') : 'Filter to this'}
          </button>
        ))}
      </div>
      <Alerts
        all={alertsOf(
          polls.map((p) => p.data),
          chosen.kind === 'node',
        )}
      />
      {chosen.kind === 'node' && model && <Neighbours id={chosen.id} model={model} state={state} change={change} />}
      {what.hint && <p class="hint quiet">{what.hint}</p>}
      {what.parts.map((p, i) => (
        <PartView key={p.heading} part={p} poll={polls[i]!} state={state} links={links} params={params} />
      ))}
    </>
  )
}

/** The edges of a node, each a button that selects it. */
function Neighbours({ id, model, state, change }: { id: string; model: Model; state: State; change: Change }) {
  const volume = (e: MapEdge) => e.measured.tx + e.measured.rx
  const edges = model.edges.filter((e) => e.from === id || e.to === id).sort((a, b) => volume(b) - volume(a))
  const name = new Map(model.nodes.map((n) => [n.key, fullName(n.id)]))
  const colour = useHealth(state.colour)
  if (!edges.length) return null
  return (
    <section class="neighbours">
      <h3>
        Edges <small>{edges.length}</small>
      </h3>
      <ul>
        {edges.slice(0, 12).map((e) => (
          <li key={e.key}>
            <button type="button" onClick={() => change({ selected: { kind: 'edge', from: e.from, to: e.to } })}>
              <span>
                <Text of={e.from === id ? `→ ${name.get(e.to)}` : `← ${name.get(e.from)}`} />
              </span>
              {['warn', 'bad'].includes(colour.level(e.measured)) && (
                <small class={`level ${colour.level(e.measured)}`}>{colour.tell(e.measured)}</small>
              )}
              <small>{bytes(volume(e))}</small>
            </button>
          </li>
        ))}
      </ul>
      {edges.length > 12 && <p class="quiet">and {edges.length - 12} more, in the table</p>}
    </section>
  )
}

/** The figures of a part, repeatedly. The data of another part is none. */
function useSeries(part: Part | undefined, state: State, params: Params): Poll<Series> {
  const url = part ? address('series', { ...params, filter: withTerms(state.filter, part.terms), edges: 20 }) : null
  const poll = usePoll<Series>(url, state.end > 0)
  return poll.of === url ? poll : { ...poll, data: null }
}

interface PartProps {
  part: Part
  poll: Poll<Series>
  state: State
  links: Link[]
  params: Params
}

function PartView({ part, poll, state, links, params }: PartProps) {
  const s = poll.data
  const url = address('signals', { ...params, filter: withTerms(state.filter, part.terms), of: part.of })
  const signals = usePoll<Known>(url, state.end > 0)
  const k = signals.of === url ? signals.data : null
  const drawn = s
    ? [{ t: s.t, pictures: pictures(s, state.end) }, ...(k ? [{ t: k.t, pictures: signalPictures(k, state.end) }] : [])]
    : []
  return (
    <section class="part">
      {part.heading && <h3>{part.heading}</h3>}
      {poll.error && (
        <p role="alert" class="level bad">
          ✖ <Name of={poll.error.message} />
        </p>
      )}
      {!s && !poll.error && <p class="quiet">Loading …</p>}
      {s && s.count === 0 && <p class="quiet">No connections.</p>}
      {s && s.count > 0 && (
        <>
          <Summary series={s} />
          {k && <Glances signals={k} />}
          <Charts drawn={drawn} marks={k?.deployments.map((d) => d.at) ?? []} theme={state.theme} />
          {k && <Signals signals={k} series={s} links={links} />}
          <Ends edges={s.edges} count={s.count} links={links} from={s.from} to={s.to} />
        </>
      )}
    </section>
  )
}

type Fact = [name: string, value: string]

function Summary({ series: s }: { series: Series }) {
  const t = s.totals
  const over = Math.max(1, s.to - s.from)
  const figures: Fact[] = [
    ['Volume', `${bytes(t.tx)} out, ${bytes(t.rx)} back`],
    ['Mean throughput', rate((t.tx + t.rx) / over)],
    ['Latest round trip', seconds(s.rtt.findLast((v) => v !== null) ?? null)],
    ['Resent', count(t.retransmits)],
    ['Attempts', count(t.attempts)],
    ['Failures', t.attempts ? `${count(t.failures)} (${percent(t.failures / t.attempts)})` : count(t.failures)],
    ['Closed', t.breaks ? `${count(t.closed)}, ${count(t.breaks)} broke` : count(t.closed)],
    ['Open', count(t.active)],
    ...(t.lookups > 0 ? [['Look-ups', `${count(t.lookups)}, ${count(t.lookup_failures)} failed`] satisfies Fact] : []),
  ]
  return (
    <dl class="summary">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
