import type { Signals } from '../api/signals.ts'
import { glyphs } from '../health.ts'
import { glances } from './signals.ts'
import './Glances.css'

/** Figures of calls, CPU and logs, which lead to the lists below. */
export function Glances({ signals }: { signals: Signals }) {
  const all = glances(signals)
  if (!all.length) return null
  const lead = (button: HTMLElement, list: string) =>
    button.closest('.part')?.querySelector<HTMLElement>(`[data-list="${list}"]`)?.focus()
  return (
    <dl class="summary glance">
      {all.map(({ name, value, level, list }) => {
        const text = (glyphs[level] && glyphs[level] + ' ') + value
        return (
          <div key={name}>
            <dt>{name}</dt>
            <dd class={`level ${level}`}>
              {list ? (
                <button type="button" onClick={(e) => lead(e.currentTarget, list)}>
                  {text}
                </button>
              ) : (
                text
              )}
            </dd>
          </div>
        )
      })}
    </dl>
  )
}
