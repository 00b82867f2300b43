import type { ApiError } from '../api/client.ts'
import { Name, Text } from '../Text.tsx'
import type { Condition } from './conditions.ts'
import './Conditions.css'

const NAMES: Record<Condition['kind'], string> = {
  error: '✖ Error',
  stale: '▲ Stale',
  partial: '◐ Partial',
  truncated: '… Truncated',
}

/** Warnings above the figures. Screen readers announce them when they change. */
export function Conditions({ all }: { all: Condition[] }) {
  return (
    <div class="conditions" role="status">
      {all.map((c) => (
        <p key={c.text} class={`condition ${c.kind}`}>
          <b>{NAMES[c.kind]}</b> <Text of={c.text} />
        </p>
      ))}
    </div>
  )
}

export function Empty({ title, text, clear }: { title: string; text: string; clear: (() => void) | null }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <p>
        <Text of={text} />
      </p>
      {clear && (
        <button type="button" onClick={clear}>
          Show everything
        </button>
      )}
    </div>
  )
}

/** The place of the content while there is no answer. */
export function Missing({ error, startOver }: { error: ApiError | null; startOver: () => void }) {
  if (!error) {
    return (
      <p class="quiet center" role="status">
        Loading …
      </p>
    )
  }
  return (
    <div class="empty" role="alert">
      <h2>{error.permanent ? 'There is no such view' : 'No answer'}</h2>
      <p>
        <Name of={error.message} />.{!error.permanent && ' Trying again …'}
      </p>
      {error.permanent && (
        <button type="button" onClick={startOver}>
          Start over
        </button>
      )}
    </div>
  )
}
