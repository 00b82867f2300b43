import type { Tag } from '../api/types.ts'
import { choose, lack, presets, type Configured } from '../presets.ts'
import type { Change } from '../state/address.ts'
import { serialise, type State } from '../state/state.ts'
import './Presets.css'

export function Presets({ state, change, tags }: { state: State; change: Change; tags: Tag[] }) {
  return (
    <nav class="presets" aria-label="Presets">
      <h2>Views</h2>
      <ul>
        {presets.map((p) => {
          const patch = choose(p, tags)
          return (
            <li key={p.id}>
              <a
                href={serialise({ ...state, ...patch }) || location.pathname}
                aria-current={state.preset === p.id ? 'true' : undefined}
                onClick={(e) => {
                  if (e.ctrlKey || e.metaKey || e.shiftKey) return
                  e.preventDefault()
                  change(patch)
                }}
              >
                {p.label}
              </a>
            </li>
          )
        })}
      </ul>
    </nav>
  )
}

/** What the chosen preset shows, and its advice. */
export function Advice({ state, tags, status }: { state: State; tags: Tag[]; status: Configured | null }) {
  const preset = presets.find((p) => p.id === state.preset)
  if (!preset || !preset.id) return null
  const lacking = lack(preset.id, tags, status)
  if (lacking)
    return (
      <p class="advice">
        <strong>{preset.label}.</strong> {lacking}
      </p>
    )
  return (
    <p class="advice">
      <strong>{preset.label}.</strong> {preset.what} <em>What to do:</em> {preset.advice}
    </p>
  )
}
