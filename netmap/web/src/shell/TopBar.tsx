import type { Status } from '../api/types.ts'
import { age, span } from '../format.ts'
import type { Change } from '../state/address.ts'
import { serialise, type State, type Theme, type View } from '../state/state.ts'
import './TopBar.css'

const WINDOWS = [60, 300, 900, 1800, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400]

/** The windows that the collector has, and the one that is chosen. */
export function windows(status: Status | null, chosen: number): number[] {
  const longest = status?.steps.at(-1)?.held ?? 3600
  const all = new Set([...WINDOWS.filter((s) => s <= longest), chosen])
  return [...all].sort((a, b) => a - b)
}

/** A time as an input of the browser has it: local, in whole minutes. */
export function local(s: number): string {
  const at = new Date(s * 1000)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

interface Props {
  state: State
  change: Change
  status: Status | null
  /** Seconds since the collector last answered. */
  since: number | null
  failing: boolean
}

export function TopBar({ state, change, status, since, failing }: Props) {
  return (
    <header class="top">
      <h1>
        <Mark /> netconn <span>network</span>
      </h1>
      <nav aria-label="Views">
        <Tab state={state} change={change} view="map" label="Map" />
        <Tab state={state} change={change} view="table" label="Dependencies" />
      </nav>
      <div class="grow" />
      <Freshness state={state} since={since} failing={failing} />
      <button
        type="button"
        class="pause"
        aria-pressed={state.end > 0}
        onClick={() => change({ end: state.end ? 0 : Math.floor(status?.now ?? Date.now() / 1000) })}
      >
        {state.end ? '▶ Go live' : '❚❚ Pause'}
      </button>
      <label class="inline">
        Last
        <select value={String(state.window)} onChange={(e) => change({ window: +e.currentTarget.value })}>
          {windows(status, state.window).map((s) => (
            <option key={s} value={String(s)}>
              {span(s)}
            </option>
          ))}
        </select>
      </label>
      {status?.history && <Until state={state} change={change} now={status.now} />}
      <label class="inline">
        Theme
        <select value={state.theme} onChange={(e) => change({ theme: e.currentTarget.value as Theme })}>
          <option value="auto">System</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </label>
    </header>
  )
}

/** The time at which the window ends, where a store has windows that are long ago. */
function Until({ state, change, now }: { state: State; change: Change; now: number }) {
  return (
    <label class="inline">
      until
      <input
        type="datetime-local"
        aria-label="The window ends at"
        value={state.end ? local(state.end) : ''}
        max={local(now)}
        onChange={(e) => {
          const at = new Date(e.currentTarget.value).getTime() / 1000
          change({ end: at > 0 ? Math.min(at, Math.floor(now)) : 0 })
        }}
      />
    </label>
  )
}

/** A tab is a link to the address of its view, so that it opens in a new tab and stands in the history. */
function Tab({ state, change, view, label }: { state: State; change: Change; view: View; label: string }) {
  const current = state.view === view
  return (
    <a
      href={serialise({ ...state, view }) || location.pathname}
      aria-current={current ? 'page' : undefined}
      onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return
        e.preventDefault()
        change({ view })
      }}
    >
      {label}
    </a>
  )
}

function Freshness({ state, since, failing }: { state: State; since: number | null; failing: boolean }) {
  if (state.end) return <p class="fresh paused">Paused at {moment(state.end)}</p>
  if (failing) return <p class="fresh bad">✖ No answer{since === null ? '' : ` for ${age(since)}`}</p>
  return (
    <p class="fresh">
      {since === null ? (
        'Loading'
      ) : (
        <>
          <span class="pulse" aria-hidden="true" />
          Live
        </>
      )}
    </p>
  )
}

/** A time, with the day if that is not today. */
function moment(s: number): string {
  const at = new Date(s * 1000)
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString() : at.toLocaleString()
}

function Mark() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M9 22 16 9l8 10" fill="none" stroke="currentColor" stroke-width="2.4" />
      <circle cx="9" cy="22" r="4.5" fill="currentColor" />
      <circle cx="16" cy="9" r="4.5" fill="currentColor" />
      <circle cx="24" cy="19" r="4.5" fill="currentColor" />
    </svg>
  )
}
