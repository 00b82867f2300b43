import type { Answer } from '../api/types.ts'
import { bytes, count, percent, plural, rate } from '../format.ts'
import type { Model } from '../map/model.ts'
import './Figures.css'

interface Props {
  answer: Answer
  model: Model | null
  rows: number | null
  /** Hops within a node, which are not counted. */
  loops: number
}

/** The totals of all edges that pass the filter, drawn or not. */
export function Figures({ answer, model, rows, loops }: Props) {
  const t = answer.totals
  const volume = t.tx + t.rx
  return (
    <dl class="figures" aria-label="Totals">
      <Figure name="Volume" value={bytes(volume)} note={`${bytes(t.tx)} to servers, ${bytes(t.rx)} back`} />
      <Figure name="Throughput" value={rate(answer.seconds ? volume / answer.seconds : 0)} />
      <Figure name="Attempts" value={count(t.attempts)} />
      <Figure
        name="Failures"
        value={count(t.failures)}
        note={t.attempts ? percent(t.failures / t.attempts) : ''}
        bad={t.failures > 0}
      />
      <Figure
        name="Retransmits"
        value={count(t.retransmits + answer.unattributed.retransmits)}
        note={volume ? `${count(t.retransmits / (volume / 1e6))} per MB` : ''}
      />
      <Figure name="Open" value={count(t.active)} />
      {t.lookups > 0 && (
        <Figure
          name="Look-ups"
          value={count(t.lookups)}
          note={`${count(t.lookup_failures)} failed`}
          bad={t.lookup_failures > 0}
        />
      )}
      {model && (
        <Figure name="Nodes" value={count(model.nodes.length)} note={model.hidden ? `${model.hidden} hidden` : ''} />
      )}
      <Figure name="Edges" value={count(t.edges)} note={edgeNote(rows, loops)} />
      {model && (
        <Figure name="Bytes shown" value={percent(model.bytes ? model.shown / model.bytes : 1)} note={folding(model)} />
      )}
    </dl>
  )
}

function Figure({ name, value, note, bad }: { name: string; value: string; note?: string; bad?: boolean }) {
  return (
    <div class={bad ? 'figure bad' : 'figure'}>
      <dt>{name}</dt>
      <dd>
        {value}
        {note && <small>{note}</small>}
      </dd>
    </div>
  )
}

function edgeNote(rows: number | null, loops: number): string {
  return [rows !== null && plural(rows, 'row'), loops > 0 && `${plural(loops, 'hop')} within the mesh left out`]
    .filter(Boolean)
    .join(', ')
}

function folding(m: Model): string {
  const parts = [
    m.folded.nodes && `${plural(m.folded.nodes, 'node')} folded`,
    m.folded.edges && `${plural(m.folded.edges, 'edge')} folded`,
  ]
  return parts.filter(Boolean).join(', ')
}
