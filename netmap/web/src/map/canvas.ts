import cytoscape, { type Core, type EdgeSingular, type ElementDefinition, type NodeSingular } from 'cytoscape'
import type { Selection } from '../state/state.ts'
import type { Colours } from './colours.ts'
import type { DrawnEdge, DrawnNode } from './drawing.ts'
import type { Point } from './layout.ts'
import { readable, type Picture } from './labels.ts'
import type { Bend } from './route.ts'
import { stylesheet } from './style.ts'

export interface Events {
  select(selection: Selection | null): void
  focus(key: string): void
  hover(at: { selection: Selection; x: number; y: number } | null): void
}

/** How large letters are on a view that is zoomed out: 10 pixels, until they are so many times as large as usual. */
const LETTERS = { size: 0.9, most: 4 }
/** Milliseconds without another zoom until the letters follow. */
const SETTLED = 120

/** The number of elements that one frame updates. A refresh must not delay a user who pans. */
const SLICE = 60

/**
 * The map on a canvas. It takes a drawing and positions at a time and changes only the differences. It never moves a
 * node by itself.
 */
export class MapCanvas {
  private readonly cy: Core
  private drawn = new Map<string, string>()
  private pending: (() => void)[] = []
  /** What is marked now; '' has it marked again. */
  private marked = ''
  private frame = 0
  private fitted = false
  /** Whether the view is still as `fit` left it. */
  private untouched = true
  private letters = 1
  private picture: Picture | null = null
  /** What is marked, and so has its label before the others. */
  private first = new Set<string>()
  private settling = 0
  private colours: Colours
  private readonly sized: ResizeObserver

  constructor(container: HTMLElement, colours: Colours, events: Events) {
    this.colours = colours
    reserveStylesheet()
    this.cy = cytoscape({
      container,
      style: stylesheet(colours),
      layout: { name: 'preset' },
      textureOnViewport: true,
      motionBlur: false,
      boxSelectionEnabled: false,
      selectionType: 'single',
      autoungrabify: true,
      autounselectify: true,
      minZoom: 0.08,
      maxZoom: 3,
      pixelRatio: Math.min(window.devicePixelRatio || 1, 2),
    })
    this.listen(events)
    this.sized = new ResizeObserver(() => this.resize())
    this.sized.observe(container)
  }

  private listen(events: Events) {
    const of = (e: NodeSingular | EdgeSingular): Selection =>
      e.group() === 'nodes'
        ? { kind: 'node', id: e.id() }
        : { kind: 'edge', from: e.data('source') as string, to: e.data('target') as string }
    this.cy.on('tap', (e) => events.select(e.target === this.cy ? null : of(e.target as NodeSingular)))
    this.cy.on('dbltap', 'node', (e) => events.focus((e.target as NodeSingular).id()))
    this.cy.on('mouseover', 'node, edge', (e) => {
      const p = e.renderedPosition
      this.cy.container()!.classList.add('pointing')
      events.hover({ selection: of(e.target as NodeSingular), x: p.x, y: p.y })
    })
    this.cy.on('dragpan scrollzoom pinchzoom', () => {
      this.untouched = false
    })
    this.cy.on('zoom', () => {
      clearTimeout(this.settling)
      this.settling = window.setTimeout(() => this.scaleLetters(), SETTLED)
    })
    this.cy.on('mouseout viewport', () => {
      this.cy.container()!.classList.remove('pointing')
      events.hover(null)
    })
  }

  /** Shows this drawing. The view is fitted to the first drawing, and to the first after `refit`. */
  show(...picture: Picture) {
    this.picture = picture
    this.finish()
    const wanted = elements(readable(picture, this.letters, this.first))
    if (wanted.size !== this.drawn.size || [...wanted.keys()].some((key) => !this.drawn.has(key))) this.marked = ''
    this.cy.batch(() => {
      for (const key of this.drawn.keys()) {
        if (!wanted.has(key)) this.cy.getElementById(key).remove()
      }
      this.cy.add([...wanted.values()].filter((e) => !this.drawn.has(e.data.id!)))
    })
    for (const [key, element] of wanted) {
      const before = this.drawn.get(key)
      const now = JSON.stringify(element)
      if (before !== undefined && before !== now) this.pending.push(() => this.update(element))
      this.drawn.set(key, now)
    }
    for (const key of [...this.drawn.keys()]) if (!wanted.has(key)) this.drawn.delete(key)
    if (this.pending.length) this.frame = requestAnimationFrame(() => this.work())
    if (!this.fitted && wanted.size) {
      this.fitted = true
      this.fit()
    }
  }

  private update(e: ElementDefinition) {
    const element = this.cy.getElementById(e.data.id!)
    if (element.isNode() && (element.data('parent') ?? null) !== (e.data.parent ?? null))
      element.move({ parent: e.data.parent ?? null })
    element.data(e.data)
    if (e.position) element.position({ ...e.position })
  }

  private work() {
    const slice = this.pending.splice(0, SLICE)
    this.cy.batch(() => slice.forEach((job) => job()))
    if (this.pending.length) this.frame = requestAnimationFrame(() => this.work())
  }

  private finish() {
    cancelAnimationFrame(this.frame)
    this.cy.batch(() => this.pending.splice(0).forEach((job) => job()))
  }

  /** Fits the view to the next drawing, because it is another graph. */
  refit() {
    this.fitted = false
  }

  recolour(colours: Colours) {
    this.colours = colours
    this.cy.style(stylesheet(colours, this.letters))
  }

  /** Marks the selection and what is connected to it, or else the nodes found. Everything else fades. */
  mark(selection: Selection | null, matches: Set<string> | null) {
    const asked = JSON.stringify([selection, matches && [...matches]])
    if (asked === this.marked) return
    this.marked = asked
    const { cy } = this
    const chosen =
      selection === null
        ? cy.collection()
        : cy.getElementById(selection.kind === 'edge' ? selection.from + ',' + selection.to : selection.id)
    let clear = cy.collection()
    if (chosen.nonempty())
      clear = selection!.kind === 'node' ? chosen.closedNeighborhood() : chosen.union(chosen.connectedNodes())
    else if (matches) clear = cy.nodes().filter((n) => matches.has(n.id()))
    const faded =
      chosen.nonempty() || matches ? cy.elements().difference(clear.union(clear.parents())) : cy.collection()
    cy.batch(() => {
      cy.elements('.selected').difference(chosen).removeClass('selected')
      cy.elements('.faded').difference(faded).removeClass('faded')
      chosen.addClass('selected')
      faded.addClass('faded')
    })
    this.first = new Set(clear.map((e) => e.id()))
    this.relabel()
  }

  /**
   * Adapts to a new size. A fitted view is fitted again; any other view moves only to keep the selection in sight.
   */
  private resize() {
    this.cy.resize()
    if (this.untouched) return this.fit()
    const chosen = this.cy.nodes('.selected')
    if (chosen.nonempty()) this.reveal(chosen.first().id())
  }

  fit() {
    this.untouched = true
    this.cy.fit(undefined, 48)
    if (this.cy.zoom() > 1.4) {
      this.cy.zoom(1.4)
      this.cy.center()
    }
    if (this.scaleLetters()) this.cy.fit(undefined, 48)
  }

  /** Letters keep their size on the screen when the view is zoomed out. Reports whether that changed them. */
  private scaleLetters(): boolean {
    const { size, most } = LETTERS
    const letters = Math.min(most, Math.max(1, Math.round((10 * size) / this.cy.zoom()) / 10))
    if (letters === this.letters) return false
    this.letters = letters
    this.recolour(this.colours)
    this.relabel()
    return true
  }

  /** Chooses again which labels are shown. */
  private relabel() {
    if (this.picture) this.show(...this.picture)
  }

  zoom(factor: number) {
    this.untouched = false
    this.cy.zoom({
      level: this.cy.zoom() * factor,
      renderedPosition: { x: this.cy.width() / 2, y: this.cy.height() / 2 },
    })
  }

  pan(x: number, y: number) {
    this.untouched = false
    this.cy.panBy({ x, y })
  }

  /** Centres the view on the node if it is out of sight. */
  reveal(key: string) {
    const node = this.cy.getElementById(key)
    if (node.empty() || !node.isNode()) return
    const { x, y } = node.renderedPosition()
    if (x < 40 || y < 40 || x > this.cy.width() - 40 || y > this.cy.height() - 60) this.cy.center(node)
  }

  png(background: string): Promise<Blob> {
    this.finish()
    return this.cy.png({
      output: 'blob-promise',
      full: true,
      scale: 2,
      bg: background,
      maxWidth: 8000,
      maxHeight: 8000,
    })
  }

  close() {
    this.sized.disconnect()
    clearTimeout(this.settling)
    cancelAnimationFrame(this.frame)
    this.cy.destroy()
  }
}

function elements([drawing, positions, bends, captions]: Picture): Map<string, ElementDefinition> {
  const all = new Map<string, ElementDefinition>()
  for (const { key, label } of drawing.groups) all.set(key, { group: 'nodes', data: { id: key, label } })
  for (const n of drawing.nodes) all.set(n.key, node(n, positions[n.key]))
  for (const e of drawing.edges) all.set(e.key, edge(e, bends.get(e.key), captions.get(e.key)))
  return all
}

function node(n: DrawnNode, at: Point | undefined): ElementDefinition {
  return { group: 'nodes', data: { ...n, id: n.key, ...(n.group && { parent: n.group }) }, position: at && { ...at } }
}

/** The control point of a bent edge is twice as far off the straight line as its middle. */
function edge(e: DrawnEdge, bend?: Bend, caption?: Point): ElementDefinition {
  const shape = { control: 2 * (bend?.off ?? 0), weight: bend?.at ?? 0.5 }
  const label = { labelX: caption?.x ?? 0, labelY: caption?.y ?? 0 }
  return { group: 'edges', data: { ...e, id: e.key, source: e.from, target: e.to, ...shape, ...label } }
}

/**
 * Cytoscape adds a style element unless an element has this id. The page's policy forbids style elements, so
 * MapView.css has the rule that it would add.
 */
function reserveStylesheet() {
  const id = '__________cytoscape_stylesheet'
  if (document.getElementById(id)) return
  const meta = document.createElement('meta')
  meta.id = id
  document.head.append(meta)
}
