import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Graph } from '../api/types.ts'
import { plural } from '../format.ts'
import { alertGlyph, alertWords } from '../health.ts'
import { metricOf } from '../metrics.ts'
import type { Change } from '../state/address.ts'
import type { Selection, State } from '../state/state.ts'
import { nodeName } from '../tags.ts'
import { isolated } from '../text.ts'
import { Text } from '../Text.tsx'
import { useHealth } from '../useHealth.ts'
import { colours, onSchemeChange } from './colours.ts'
import type { MapCanvas } from './canvas.ts'
import { draw, type Drawing } from './drawing.ts'
import { Legend } from './Legend.tsx'
import { model, type Model } from './model.ts'
import { MapTools } from './MapTools.tsx'
import { usePositions } from './positions.ts'
import type { Point } from './layout.ts'
import { captions } from './captions.ts'
import { bends, type Bends } from './route.ts'
import { svg } from './svg.ts'
import './MapView.css'

/** The model of a graph, for what the user hides and focuses. */
export function useModel(graph: Graph | null, state: State): Model | null {
  const { hide, focus, hops, width } = state
  const hidden = hide.join(',')
  return useMemo(
    () => graph && model(graph, { hide: hidden.split(','), focus, hops, rank: metricOf(width) }),
    [graph, hidden, focus, hops, width],
  )
}

interface Props {
  model: Model
  state: State
  change: Change
}

export function MapView({ model: m, state, change }: Props) {
  const holder = useRef<HTMLDivElement>(null)
  const canvas = useCanvas(holder, change)
  const drawing = useDrawing(m, state)
  const positions = usePositions(drawing, `${m.by}/${m.group}`)
  const bent = useBends(drawing, positions)
  const told = useMemo(() => captions(drawing.nodes, drawing.edges, positions ?? {}, bent), [drawing, positions, bent])
  const [pointed, setPointed] = useState<{ selection: Selection; x: number; y: number } | null>(null)
  canvas.hover.current = setPointed

  const graph = `${m.by}/${m.group}/${state.focus}/${state.hops}/${state.filter}/${state.only}/${state.problems}`
  const shown = useRef('')
  useEffect(() => {
    if (!canvas.map || !positions) return
    if (shown.current !== graph) canvas.map.refit()
    shown.current = graph
    canvas.map.show(drawing, positions, bent, told)
  }, [canvas.map, drawing, positions])

  const matches = useMemo(() => found(m, state.find), [m, state.find])
  useEffect(() => canvas.map?.mark(state.selected, matches), [canvas.map, state.selected, matches, drawing, positions])
  useEffect(() => {
    if (state.selected?.kind === 'node') canvas.map?.reveal(state.selected.id)
  }, [canvas.map, state.selected])
  useEffect(() => canvas.map?.recolour(colours()), [canvas.map, state.theme])
  useEffect(() => onSchemeChange(() => canvas.map?.recolour(colours())), [canvas.map])

  const title = `Network map: ${plural(m.nodes.length, 'node')}, ${plural(m.edges.length, 'edge')}`
  return (
    <section class="map" aria-label="Network map">
      <div class="map-area">
        <div
          ref={holder}
          class="map-canvas __________cytoscape_container"
          tabIndex={0}
          role="img"
          aria-label={`${title}. ${KEYS}`}
          onKeyDown={(e) => canvas.map && steer(canvas.map, e)}
        />
        <MapTools
          map={canvas.map}
          ready={positions !== null}
          svg={() => svg(drawing, positions ?? {}, bent, told, colours(), title)}
        />
        {pointed && <Tip m={m} at={pointed} state={state} />}
      </div>
      <Legend drawing={drawing} state={state} />
    </section>
  )
}

/** The bends of edges. They do not depend on figures, so that a refresh leaves the edges where they are. */
function useBends(drawing: Drawing, positions: Record<string, Point> | null): Bends {
  const drawn = [...drawing.nodes, ...drawing.edges].map((e) => e.key).join('\n')
  return useMemo(() => bends(drawing.nodes, drawing.edges, positions ?? {}), [drawn, positions])
}

/**
 * The drawing of a model. It follows the drawing before it while both show the same measures of the same kind of
 * nodes.
 */
function useDrawing(m: Model, { size, width, colour }: State): Drawing {
  const last = useRef<{ kind: string; drawing: Drawing } | null>(null)
  const health = useHealth(colour)
  return useMemo(() => {
    const kind = [m.by, m.group, size, width].join('/')
    const before = last.current?.kind === kind ? last.current.drawing : undefined
    const drawing = draw(m, { size: metricOf(size), width: metricOf(width), colour: health }, before)
    last.current = { kind, drawing }
    return drawing
  }, [m, size, width, health])
}

/** Loads the drawing library after the page is shown, because it is the larger part of the page. */
function useCanvas(holder: { current: HTMLDivElement | null }, change: Change) {
  const [map, setMap] = useState<MapCanvas | null>(null)
  const hover = useRef<(at: { selection: Selection; x: number; y: number } | null) => void>(() => {})
  useEffect(() => {
    let made: MapCanvas | null = null
    let gone = false
    void import('./canvas.ts').then((module) => {
      if (gone || !holder.current) return
      made = new module.MapCanvas(holder.current, colours(), {
        select: (selected) => change({ selected }),
        focus: (focus) => change({ focus, selected: { kind: 'node', id: focus } }),
        hover: (at) => hover.current(at),
      })
      setMap(made)
    })
    return () => {
      gone = true
      made?.close()
    }
  }, [])
  return { map, hover }
}

function found(m: Model, find: string): Set<string> | null {
  const text = find.trim().toLowerCase()
  if (!text) return null
  return new Set(
    m.nodes.filter((n) => `${nodeName(n.id)} ${n.id.group}`.toLowerCase().includes(text)).map((n) => n.key),
  )
}

const KEYS = 'Arrow keys move the view, plus and minus zoom, 0 shows all. The list of nodes says the same in words.'

function steer(map: MapCanvas, e: KeyboardEvent) {
  const moves: Record<string, () => void> = {
    ArrowLeft: () => map.pan(60, 0),
    ArrowRight: () => map.pan(-60, 0),
    ArrowUp: () => map.pan(0, 60),
    ArrowDown: () => map.pan(0, -60),
    '+': () => map.zoom(1.25),
    '=': () => map.zoom(1.25),
    '-': () => map.zoom(0.8),
    '0': () => map.fit(),
  }
  const move = moves[e.key]
  if (!move || e.ctrlKey || e.metaKey || e.altKey) return
  e.preventDefault()
  move()
}

function Tip({ m, at, state }: { m: Model; at: { selection: Selection; x: number; y: number }; state: State }) {
  const colour = useHealth(state.colour)
  const name = (key: string) => {
    const node = m.nodes.find((n) => n.key === key)
    return node ? isolated(nodeName(node.id)) : ''
  }
  const { selection: s } = at
  const measured =
    s.kind === 'edge'
      ? m.edges.find((e) => e.from === s.from && e.to === s.to)?.measured
      : m.nodes.find((n) => n.key === s.id)?.measured
  if (!measured) return null
  const place = (el: HTMLElement | null) => {
    if (!el) return
    el.style.left = `${Math.min(at.x + 14, el.parentElement!.clientWidth - el.offsetWidth - 8)}px`
    el.style.top = `${Math.max(8, at.y - el.offsetHeight - 12)}px`
  }
  const figures = ['throughput', 'rtt', 'retransmits', 'failures', 'active'].map(metricOf)
  return (
    <div class="tip" ref={place} aria-hidden="true">
      <strong>
        <Text of={s.kind === 'edge' ? `${name(s.from)} → ${name(s.to)}` : name(s.id)} />
      </strong>
      <dl>
        {figures.map((f) => (
          <div key={f.id}>
            <dt>{f.label}</dt>
            <dd>{f.format(f.of(measured))}</dd>
          </div>
        ))}
      </dl>
      {colour.id !== 'alerts' && alertWords(measured.alerts) && (
        <p class={`level ${measured.alerts!.firing ? 'bad' : 'warn'}`}>
          {alertGlyph(measured.alerts)} {alertWords(measured.alerts)}
        </p>
      )}
      {['warn', 'bad'].includes(colour.level(measured)) && (
        <p class={`level ${colour.level(measured)}`}>{colour.tell(measured)}</p>
      )}
    </div>
  )
}
