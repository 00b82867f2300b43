import { useEffect, useRef, useState } from 'preact/hooks'
import type uPlot from 'uplot'
import type { Series } from '../api/types.ts'
import { age, count, NONE, rate, seconds } from '../format.ts'
import { colours, onSchemeChange, type Colours } from '../map/colours.ts'
import { FONT } from '../map/style.ts'
import { finished } from './finished.ts'
import './Charts.css'

export interface Line {
  label: string
  colour: keyof Colours
  /** Lines differ in their pattern too, not only in colour. */
  dash?: number[]
  values: (number | null)[]
}

export interface Picture {
  title: string
  format(n: number | null): string
  lines: Line[]
}

/**
 * The charts of a series. A step without reports has no values, which is different from 0. Nor has a step that is not
 * over a count.
 */
export function pictures(s: Series, end: number): Picture[] {
  const over = finished(s, end)
  const known = (values: (number | null)[]) => values.map((v, i) => (s.active[i] === null || !over(i) ? null : v))
  const perSecond = (values: number[]) => known(values.map((v) => v / s.step))
  const step = `, per ${age(s.step)}`
  const lookups = s.totals.lookups > 0 ? lookupPictures(s, step, over) : []
  if (lookups.length && s.active.every((v) => v === null)) return lookups
  return [
    {
      title: 'Throughput',
      format: rate,
      lines: [
        { label: 'to the server', colour: 'accent', values: perSecond(s.tx) },
        { label: 'back', colour: 'new', dash: [5, 3], values: perSecond(s.rx) },
      ],
    },
    {
      title: 'Round trip',
      format: seconds,
      lines: [
        { label: 'mean', colour: 'accent', values: s.rtt },
        { label: 'slowest, at most', colour: 'none', dash: [5, 3], values: s.rtt_max },
      ],
    },
    {
      title: 'Connections' + step,
      format: count,
      lines: [
        { label: 'attempts', colour: 'accent', values: known(s.attempts) },
        { label: 'failures', colour: 'bad', dash: [5, 3], values: known(s.failures) },
        { label: 'open', colour: 'none', dash: [1, 3], values: s.active },
      ],
    },
    {
      title: 'Trouble' + step,
      format: count,
      lines: [
        { label: 'resent', colour: 'warn', values: known(s.retransmits) },
        { label: 'breaks', colour: 'bad', dash: [5, 3], values: known(s.breaks) },
      ],
    },
    ...lookups,
  ]
}

/** No state says which steps were reported, so a step without a look-up has 0. */
function lookupPictures(s: Series, step: string, over: (i: number) => boolean): Picture[] {
  const known = (values: number[]) => values.map((v, i) => (over(i) ? v : null))
  return [
    {
      title: 'Look-ups' + step,
      format: count,
      lines: [
        { label: 'all', colour: 'accent', values: known(s.lookups) },
        { label: 'failed', colour: 'bad', dash: [5, 3], values: known(s.lookup_failures) },
      ],
    },
    { title: 'Look-up time', format: seconds, lines: [{ label: 'mean', colour: 'accent', values: s.lookup_time }] },
  ]
}

/** Charts of one time. */
export interface Drawn {
  t: number[]
  pictures: Picture[]
}

/** The charts that are shown, for their common cursor. */
const shown = new Set<uPlot>()

/** Puts the cursor of all charts at a time, in Unix seconds. */
export function pointAt(at: number) {
  for (const plot of shown) plot.setCursor({ left: plot.valToPos(at, 'x'), top: 0 })
}

interface ChartsProps {
  drawn: Drawn[]
  /** Times to mark, in Unix seconds. */
  marks: number[]
  theme: string
}

/** Loads the chart library when the first chart is drawn. All charts have one cursor. */
export function Charts({ drawn, marks, theme }: ChartsProps) {
  const [library, setLibrary] = useState<{ make: typeof uPlot } | null>(null)
  useEffect(() => {
    let gone = false
    void import('uplot').then((module) => gone || setLibrary({ make: module.default }))
    return () => {
      gone = true
    }
  }, [])
  return (
    <div class="charts">
      {drawn.flatMap(({ t, pictures }) =>
        pictures.map((p) => (
          <Chart key={p.title} t={t} picture={p} marks={marks} library={library?.make ?? null} theme={theme} />
        )),
      )}
    </div>
  )
}

interface ChartProps {
  t: number[]
  picture: Picture
  marks: number[]
  library: typeof uPlot | null
  theme: string
}

function Chart({ t, picture, marks, library, theme }: ChartProps) {
  const marked = useRef(marks)
  marked.current = marks
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [at, setAt] = useState<number | null>(null)
  const [scheme, setScheme] = useState(0)
  useEffect(() => onSchemeChange(() => setScheme((n) => n + 1)), [])

  useEffect(() => {
    if (!library || !holder.current) return
    const el = holder.current
    const made = new library(
      options(
        picture,
        el.clientWidth,
        colours(),
        (i) => setAt(i ?? null),
        () => marked.current,
      ),
      data(t, picture),
      el,
    )
    plot.current = made
    shown.add(made)
    const sized = new ResizeObserver(() => made.setSize({ width: el.clientWidth, height: HEIGHT }))
    sized.observe(el)
    return () => {
      sized.disconnect()
      shown.delete(made)
      made.destroy()
      plot.current = null
    }
  }, [library, theme, scheme])
  useEffect(() => plot.current?.setData(data(t, picture)), [t, picture, marks])

  const pointed = at !== null && at < t.length ? at : null
  return (
    <figure class="chart">
      <figcaption>
        <b>{picture.title}</b>
        {pointed !== null && <time>{exact(t[pointed]!, t)}</time>}
        {picture.lines.map((l) => (
          <span key={l.label} class={`line ${l.colour}`}>
            <Dash dash={l.dash} />
            {l.label} {picture.format(valueAt(l.values, pointed))}
          </span>
        ))}
      </figcaption>
      <div ref={holder} class="plot" role="img" aria-label={spoken(picture)} />
    </figure>
  )
}

function Dash({ dash }: { dash?: number[] | undefined }) {
  return (
    <svg width="16" height="6" aria-hidden="true">
      <path d="M0 3H16" stroke="currentColor" stroke-width="2" stroke-dasharray={dash?.join(' ')} />
    </svg>
  )
}

/** The value at the pointer, or else the latest. */
function valueAt(values: (number | null)[], i: number | null): number | null {
  return i === null ? (values.findLast((v) => v !== null) ?? null) : (values[i] ?? null)
}

function spoken({ title, lines, format }: Picture): string {
  const describe = (l: Line) => {
    const known = l.values.filter((v) => v !== null)
    if (!known.length) return `${l.label}: nothing measured`
    const [least, most] = [Math.min(...known), Math.max(...known)]
    return `${l.label}: latest ${format(known.at(-1)!)}, least ${format(least)}, most ${format(most)}`
  }
  return `${title}. ${lines.map(describe).join('. ')}.`
}

const HEIGHT = 84

const known = (values: ArrayLike<number | null | undefined>) => Array.from(values).filter((v) => typeof v === 'number')

const data = (t: number[], p: Picture): uPlot.AlignedData => [t, ...p.lines.map((l) => l.values)]

function options(
  p: Picture,
  width: number,
  c: Colours,
  pointed: (i: number | null | undefined) => void,
  marks: () => number[],
): uPlot.Options {
  const font = `10px ${FONT}`
  return {
    width: Math.max(width, 80),
    height: HEIGHT,
    legend: { show: false },
    padding: [6, 26, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: 'panel' } },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    hooks: { setCursor: [(u) => pointed(u.cursor.idx)], draw: [(u) => drawMarks(u, marks(), c.new)] },
    axes: [
      {
        stroke: c.muted,
        font,
        size: 22,
        grid: { show: false },
        ticks: { stroke: c.line, size: 4 },
        values: (_, ts) => ts.map((s) => clock(s)),
      },
      {
        stroke: c.muted,
        font,
        size: 62,
        grid: { stroke: c.line, width: 1 },
        ticks: { show: false },
        space: 28,
        values: (_, vs) => vs.map((v) => (v === null ? NONE : p.format(v))),
      },
    ],
    series: [
      {},
      ...p.lines.map((l): uPlot.Series => ({
        label: l.label,
        stroke: c[l.colour],
        width: 1.5,
        spanGaps: true,
        ...(l.dash && { dash: l.dash }),
        // A line through one value is invisible.
        points: { size: 5, show: (u, i) => known(u.data[i]!).length === 1 },
      })),
    ],
  }
}

/** Draws a vertical line at each time within the chart. */
function drawMarks(u: uPlot, times: number[], colour: string) {
  const { left, top, width, height } = u.bbox
  u.ctx.save()
  u.ctx.strokeStyle = colour
  u.ctx.lineWidth = devicePixelRatio
  for (const at of times) {
    const x = u.valToPos(at, 'x', true)
    if (x < left || x > left + width) continue
    u.ctx.beginPath()
    u.ctx.moveTo(x, top)
    u.ctx.lineTo(x, top + height)
    u.ctx.stroke()
  }
  u.ctx.restore()
}

/** The time of a step; with the day, if the steps are of more than one. */
function exact(s: number, t: number[]): string {
  const at = new Date(s * 1000)
  return t.at(-1)! - t[0]! < DAY ? at.toLocaleTimeString() : at.toLocaleString()
}

const DAY = 86_400

function clock(s: number): string {
  return new Date(s * 1000).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    ...(s % 60 ? { second: '2-digit' } : {}),
  })
}
