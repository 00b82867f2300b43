import { useEffect, useMemo, useRef } from 'preact/hooks'
import { alertGlyph, alertWords, glyphs, levelWords } from '../health.ts'
import { metricOf, type Metric } from '../metrics.ts'
import type { Change } from '../state/address.ts'
import type { State } from '../state/state.ts'
import { kindWords, nodeName } from '../tags.ts'
import { Name } from '../Text.tsx'
import { useHealth } from '../useHealth.ts'
import { Shape } from './Legend.tsx'
import { known, type MapNode, type Model } from './model.ts'
import './NodeList.css'

/** The nodes of the map as a list: the picture in words, and a way to search for a name. */
export function NodeList({ model, state, change }: { model: Model; state: State; change: Change }) {
  const size = metricOf(state.size)
  const text = state.find.trim().toLowerCase()
  const nodes = useMemo(() => listed(model, size, text), [model, size, text])
  return (
    <section class="nodes" aria-label="Nodes">
      <h2>
        Nodes <small>by {size.label.toLowerCase()}</small>
      </h2>
      <input
        type="search"
        class="find"
        placeholder="Find a node"
        aria-label="Find a node"
        value={state.find}
        onInput={(e) => change({ find: e.currentTarget.value }, true)}
      />
      <Focus model={model} state={state} change={change} />
      {nodes.length === 0 ? (
        <p class="quiet">No node has this in its name.</p>
      ) : (
        <Options nodes={nodes} state={state} change={change} />
      )}
    </section>
  )
}

/** The nodes with this text in their names, the largest first. */
function listed(model: Model, size: Metric, text: string): MapNode[] {
  const of = (n: MapNode) => size.of(n.measured) ?? -1
  return model.nodes
    .filter((n) => `${nodeName(n.id)} ${n.id.group}`.toLowerCase().includes(text))
    .sort((a, b) => of(b) - of(a) || (a.key < b.key ? -1 : 1))
}

function Options({ nodes, state, change }: { nodes: MapNode[]; state: State; change: Change }) {
  const size = metricOf(state.size)
  const most = Math.max(...nodes.map((n) => size.of(n.measured) ?? 0), 0)
  const selected = state.selected?.kind === 'node' ? state.selected.id : ''
  const list = useRef<HTMLUListElement>(null)
  useEffect(() => list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }), [selected])

  const press = (e: KeyboardEvent) => {
    const next = nodes[target(e.key, nodes, selected)]
    if (next) {
      e.preventDefault()
      change({ selected: { kind: 'node', id: next.key } }, true)
    } else if (e.key === 'Enter' && selected) {
      e.preventDefault()
      document.getElementById('panel')?.focus()
    } else if (e.key === 'f' && selected) change({ focus: selected })
    else if (e.key === 'h' && selected) change({ hide: [...state.hide, selected], selected: null })
  }

  return (
    <ul
      ref={list}
      role="listbox"
      tabIndex={0}
      aria-label="Nodes of the map. Enter opens the details, F focuses, H hides."
      onKeyDown={press}
      aria-activedescendant={nodes.some((n) => n.key === selected) ? optionId(selected) : undefined}
    >
      {nodes.map((n) => (
        <Option
          key={n.key}
          node={n}
          most={most}
          state={state}
          selected={n.key === selected}
          choose={() => change({ selected: { kind: 'node', id: n.key } })}
        />
      ))}
    </ul>
  )
}

/** The index of the node that a key leads to; -1 if the key does not move. */
function target(key: string, nodes: MapNode[], selected: string): number {
  const at = nodes.findIndex((n) => n.key === selected)
  const to: Record<string, number> = {
    ArrowDown: Math.min(at + 1, nodes.length - 1),
    ArrowUp: Math.max(at - 1, 0),
    Home: 0,
    End: nodes.length - 1,
  }
  return to[key] ?? -1
}

const optionId = (key: string) => 'node-' + key.replaceAll('%', '_')

function Option({
  node: n,
  most,
  state,
  selected,
  choose,
}: {
  node: MapNode
  most: number
  state: State
  selected: boolean
  choose(): void
}) {
  const size = metricOf(state.size)
  const level = useHealth(state.colour).level(n.measured)
  const value = size.of(n.measured)
  const kind = kindWords[n.id.kind]
  return (
    <li id={optionId(n.key)} role="option" aria-selected={selected} onClick={choose} class={`level-${level}`}>
      <Shape kind={n.id.kind} />
      <span class="name" title={nodeName(n.id)}>
        {glyphs[level] && (
          <b class={`level ${level}`} title={levelWords[level]}>
            {glyphs[level]}
            <span class="unseen"> {levelWords[level]}:</span>{' '}
          </b>
        )}
        <Name of={nodeName(n.id)} />
        {n.id.group && (
          <small>
            {' '}
            <Name of={n.id.group} />
          </small>
        )}
        {kind && <small> {kind}</small>}
        {n.isNew && <small class="new"> ✚ new</small>}
        <Alerted of={n} />
      </span>
      <span class="value">{size.format(value)}</span>
      <svg class="bar" width="100%" height="2" aria-hidden="true">
        <rect width={`${most && value ? Math.max(1, (value / most) * 100) : 0}%`} height="2" />
      </svg>
    </li>
  )
}

function Alerted({ of: { measured } }: { of: MapNode }) {
  const words = alertWords(measured.alerts)
  if (!words) return null
  return (
    <small class={`level ${measured.alerts!.firing ? 'bad' : 'warn'}`}>
      {' '}
      <span aria-hidden="true">{alertGlyph(measured.alerts)} </span>
      <span class="unseen">alerts: </span>
      {words}
    </small>
  )
}

/** The focused node, the number of hidden nodes, and buttons to undo both. */
function Focus({ model, state, change }: { model: Model; state: State; change: Change }) {
  const id = known(model, state.focus)
  return (
    <>
      {id && (
        <div class="chip">
          <span>
            Focus on{' '}
            <b>
              <Name of={nodeName(id)} />
            </b>
          </span>
          <label class="inline">
            steps
            <select value={String(state.hops)} onChange={(e) => change({ hops: +e.currentTarget.value })}>
              {[1, 2, 3, 4, 5].map((n) => (
                <option key={n} value={String(n)}>
                  {n}
                </option>
              ))}
            </select>
          </label>
          <button type="button" aria-label="End the focus" onClick={() => change({ focus: '' })}>
            ×
          </button>
        </div>
      )}
      {state.hide.length > 0 && (
        <div class="chip">
          <span>{state.hide.length} hidden</span>
          <button type="button" onClick={() => change({ hide: [] })}>
            Show all
          </button>
        </div>
      )}
    </>
  )
}
