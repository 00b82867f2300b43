import type { ApiError } from '../api/client.ts'
import type { Answer, Status, Tag } from '../api/types.ts'
import { age, plural, span } from '../format.ts'
import type { Model } from '../map/model.ts'
import { lack } from '../presets.ts'
import type { State } from '../state/state.ts'
import { isolated, legible } from '../text.ts'

/** A warning for readers of the figures. */
export interface Condition {
  kind: 'error' | 'stale' | 'partial' | 'truncated'
  text: string
}

export interface Known {
  state: State
  status: Status | null
  statusError: ApiError | null
  answer: Answer | null
  error: ApiError | null
  /** Of the day before. */
  beforeError?: ApiError | null
  model: Model | null
  /** Seconds since the collector last answered. */
  since: number | null
  /** Empty while they are not known. */
  tags: Tag[]
}

/** The warnings to show, the most serious first. */
export function conditions(known: Known): Condition[] {
  const { state, status, statusError, answer, error, beforeError, model, since } = known
  const all: Condition[] = []
  const failed = error && error.code !== 'bad_filter' ? error : statusError
  if (failed) {
    const store = failed.code.startsWith('store_')
    const refused = failed.permanent ? 'refuses this view' : store ? STORE[failed.code]! : 'does not answer'
    const kept = answer && since !== null ? ` What is shown is ${age(since)} old.` : ''
    all.push({
      kind: 'error',
      text: `The ${store ? 'store of longer windows' : 'collector'} ${refused}: ${legible(failed.message)}.${kept}`,
    })
  }
  if (status?.state === 'stale')
    all.push({
      kind: 'stale',
      text: `No host has reported for ${age(quiet(status))}. What is shown is what was last known.`,
    })
  const silent = status?.state === 'ok' ? status.hosts.stale : 0
  if (status && silent) {
    const stale = status.reporters.filter((r) => r.state === 'stale')
    const names = stale.map((r) => isolated(r.host || r.host_id || 'unnamed'))
    const some = names.slice(0, 3).join(', ') + (silent > 3 ? ', …' : '')
    const are = silent === 1 ? 'is' : 'are'
    all.push({
      kind: 'partial',
      text: `${plural(silent, 'host')} of ${status.hosts.total} ${are} silent: ${some}. ` + 'Figures are without them.',
    })
  }
  if (
    status &&
    status.state !== 'empty' &&
    answer?.source === 'memory' &&
    !state.end &&
    answer.seconds < state.window - 60
  ) {
    const seen = Math.max(1, Math.round(answer.seconds))
    all.push({
      kind: 'partial',
      text: `The collector has seen ${span(seen)} so far: figures are over these, not over ${span(state.window)}.`,
    })
  }
  if (answer) all.push(...lacking(answer))
  if (answer?.source === 'store' && state.only.split(',').includes('lookups'))
    all.push({ kind: 'partial', text: 'The store has no look-ups. Choose a window within the last hour.' })
  if (beforeError) all.push({ kind: 'partial', text: `The day before is not known: ${legible(beforeError.message)}.` })
  if (status) all.push(...alerting(status, state.colour), ...full(status))
  if (model && (model.folded.nodes || model.folded.edges)) {
    const parts = [
      model.folded.nodes && plural(model.folded.nodes, 'node'),
      model.folded.edges && plural(model.folded.edges, 'edge'),
    ].filter(Boolean)
    all.push({
      kind: 'truncated',
      text:
        `Only the largest are drawn; folded into “other”: ${parts.join(' and ')}. ` +
        'Filter, focus or group to see them.',
    })
  }
  return all
}

const STORE: Record<string, string> = { store_slow: 'is too slow for this view', store_away: 'does not answer' }

/** What is missing, by its name in the API, in words. */
const MISSING: Record<string, string> = {
  rtt: 'round trips',
  active: 'open connections',
  new: 'which edges are new',
  series: 'the course over time',
}

/** What the store did not answer. */
function lacking({ partial }: Answer): Condition[] {
  if (!partial) return []
  const what = partial.missing.map((m) => MISSING[m] ?? isolated(m)).join(', ')
  const missing = what ? `Not known: ${what}.` : 'Figures may be too low.'
  return [{ kind: 'partial', text: `The store answered a part only: ${isolated(partial.reason)}. ${missing}` }]
}

/** What the page does not know about alerts. */
function alerting({ alerts: a, now }: Status, colour: string): Condition[] {
  if (a.state === 'off' && colour === 'alerts')
    return [{ kind: 'partial', text: 'No source of alerts is configured, so no node has any.' }]
  const all: Condition[] = []
  if (a.state === 'unreachable') {
    const kept = a.firing + a.pending ? `Those shown are ${age(now - a.at)} old.` : 'None is shown.'
    all.push({ kind: 'partial', text: `The source of alerts does not answer: ${isolated(a.reason)}. ${kept}` })
  }
  if (a.left_out)
    all.push({
      kind: 'truncated',
      text: `${plural(a.left_out, 'alert')} beyond the limit ${a.left_out === 1 ? 'is' : 'are'} left out, pending ones first.`,
    })
  return all
}

/** What the store has no room for. */
function full(status: Status): Condition[] {
  const all: Condition[] = []
  if (status.store.edges >= status.store.max_edges || status.store.folded) {
    all.push({
      kind: 'truncated',
      text:
        `The store is full: what is beyond ${plural(status.store.max_edges, 'edge')} is counted as “other”. ` +
        'Raise max_edges or max_memory_mib to see it by name.',
    })
  }
  if (status.dropped.streams)
    all.push({
      kind: 'truncated',
      text:
        `The store is full: ${plural(status.dropped.streams, 'point')} that had no room went uncounted. ` +
        'Raise max_edges or max_memory_mib.',
    })
  return all
}

function quiet(status: Status): number {
  return Math.min(status.hosts.age ?? Infinity, status.now - status.started)
}

/** The reason why nothing is shown, and what to do about it; null if there is something to show. */
export function emptiness({
  state,
  status,
  answer,
  model,
  tags,
}: Known): { title: string; text: string; clear: boolean } | null {
  if (status?.state === 'empty')
    return {
      title: 'Nothing has been reported yet',
      text: status.reason || 'No metrics of netconn have reached the netmap exporter.',
      clear: false,
    }
  if (!answer) return null
  const drawn = model ? model.nodes.length : answer.totals.edges
  if (drawn > 0 && answer.totals.edges > 0) return null
  const lacking = lack(state.preset, tags, status)
  if (lacking) return { title: 'This cannot be told', text: lacking, clear: true }
  const narrowed = state.filter || state.problems || state.only || state.hide.length > 0
  if (narrowed) {
    const what = [
      state.filter && 'the filter',
      state.problems && '“only problems”',
      state.only && `“only ${legible(state.only)}”`,
      state.hide.length && plural(state.hide.length, 'hidden node'),
    ]
    return {
      title: 'Nothing matches',
      text: `No edge of the last ${span(state.window)} passes ${what.filter(Boolean).join(', ')}.`,
      clear: true,
    }
  }
  return {
    title: 'No traffic',
    text: `No connection carried anything in the ${span(state.window)} looked at.`,
    clear: false,
  }
}
