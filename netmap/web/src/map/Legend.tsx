import { KINDS, type Kind } from '../api/types.ts'
import type { Health, Level } from '../health.ts'
import { metricOf } from '../metrics.ts'
import type { State } from '../state/state.ts'
import { useHealth } from '../useHealth.ts'
import type { Drawing } from './drawing.ts'
import './Legend.css'

/** The meaning of size, width, colour, shape and line on the map as it is drawn now. */
export function Legend({ drawing, state }: { drawing: Drawing; state: State }) {
  const [size, width] = [metricOf(state.size), metricOf(state.width)]
  return (
    <details class="legend" open>
      <summary>Legend</summary>
      <dl>
        <div>
          <dt>Size</dt>
          <dd>
            {size.words}; largest {size.format(drawing.largest)}
          </dd>
        </div>
        <div>
          <dt>Width</dt>
          <dd>
            {width.words}; widest {width.format(drawing.widest)}; the arrow points at the server
          </dd>
        </div>
        <Colour of={useHealth(state.colour)} />
        <Marks drawing={drawing} />
      </dl>
    </details>
  )
}

function Colour({ of }: { of: Health }) {
  return (
    <div>
      <dt>Colour, {of.label.toLowerCase()}</dt>
      <dd>
        <span>
          <Line level="good" />
          {of.good}
        </span>
        <span>
          <Line level="warn" dash="10 3" />▲ {of.warn}
        </span>
        <span>
          <Line level="bad" dash="5 4" />✖ {of.bad}
        </span>
      </dd>
    </div>
  )
}

const kindLabels: Record<Kind, string> = {
  internal: 'known',
  external: 'external',
  unresolved: 'unresolved',
  other: 'other, folded',
}

/** The shapes and lines that the drawing has. */
function Marks({ drawing }: { drawing: Drawing }) {
  const drawn = new Set(drawing.nodes.map((n) => n.kind))
  return (
    <div>
      <dt>Shape</dt>
      <dd>
        {KINDS.filter((kind) => kind === 'internal' || drawn.has(kind)).map((kind) => (
          <span key={kind}>
            <Shape kind={kind} />
            {kindLabels[kind]}
          </span>
        ))}
        {drawing.edges.some((e) => e.unresolved) && (
          <span>
            <Line level="none" dash="2 4" />
            an end is not known
          </span>
        )}
        <Rings drawing={drawing} />
        {drawing.edges.some((e) => e.isNew) && (
          <span>
            <Line level="new" />✚ new, first seen in the last 15 minutes
          </span>
        )}
      </dd>
    </div>
  )
}

function Rings({ drawing }: { drawing: Drawing }) {
  const has = (state: string) => drawing.nodes.some((n) => n.alert === state)
  return (
    <>
      {has('firing') && (
        <span>
          <Ring level="bad" />◉ an alert is firing
        </span>
      )}
      {has('pending') && (
        <span>
          <Ring level="warn" dash="4 2.5" />◎ an alert is pending
        </span>
      )}
    </>
  )
}

function Ring({ level, dash }: { level: Level; dash?: string }) {
  return (
    <svg class={`swatch ${level}`} width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
      <circle r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray={dash} />
    </svg>
  )
}

function Line({ level, dash }: { level: Level | 'new'; dash?: string }) {
  return (
    <svg class={`swatch ${level}`} width="26" height="8" aria-hidden="true">
      <line x1="1" y1="4" x2="25" y2="4" stroke="currentColor" stroke-width="3" stroke-dasharray={dash} />
    </svg>
  )
}

export function Shape({ kind }: { kind: Kind }) {
  return (
    <svg class={`swatch shape ${kind}`} width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
      {kind === 'internal' && <circle r="5.5" fill="currentColor" />}
      {kind === 'external' && <path d="M0-6.5 6.5 0 0 6.5-6.5 0Z" fill="currentColor" />}
      {kind === 'unresolved' && (
        <path d="M-6 0-3-5.2H3L6 0 3 5.2H-3Z" fill="none" stroke="currentColor" stroke-dasharray="2 1.5" />
      )}
      {kind === 'other' && (
        <rect x="-5" y="-5" width="10" height="10" rx="2" fill="none" stroke="currentColor" stroke-width="2" />
      )}
    </svg>
  )
}
