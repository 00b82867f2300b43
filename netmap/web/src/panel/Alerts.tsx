import type { Alert } from '../api/types.ts'
import { age } from '../format.ts'
import { Name } from '../Text.tsx'
import './Alerts.css'

/** An alert, and the sides that it is about where a list has both. */
export interface Listed extends Alert {
  sides?: string
}

/** The alerts about the ends of a selection, the firing ones first, as the collector sorts them. */
export function Alerts({ all }: { all: Listed[] }) {
  if (!all.length) return null
  return (
    <section class="alerts" aria-label="Alerts">
      <h3>
        Alerts <small>{all.length}</small>
      </h3>
      <AlertItems all={all} />
    </section>
  )
}

export function AlertItems({ all }: { all: Listed[] }) {
  return (
    <ul class="alert-list">
      {all.map((a) => (
        <li key={a.id}>
          <AlertItem of={a} />
        </li>
      ))}
    </ul>
  )
}

function AlertItem({ of: a }: { of: Listed }) {
  const firing = a.state === 'firing'
  const since = a.since ? ` for ${age(Date.now() / 1000 - a.since)}` : ''
  return (
    <>
      <p>
        <b class={`level ${firing ? 'bad' : 'warn'}`}>
          <span aria-hidden="true">{firing ? '◉ ' : '◎ '}</span>
          {a.state}
          {a.severity && (
            <>
              , <Name of={a.severity} />
            </>
          )}
        </b>{' '}
        <strong>
          <Name of={a.name || 'unnamed'} />
        </strong>
        <small>
          {since}
          {a.about.tag && (
            <>
              , about {a.about.tag} <Name of={a.about.value} />
            </>
          )}
          {a.sides && `, ${a.sides}`}
        </small>
      </p>
      {a.summary && (
        <p>
          <Name of={a.summary} />
        </p>
      )}
      {a.links.length > 0 && (
        <p class="links">
          {a.links.map((l, i) => (
            <a key={i} href={l.url} target="_blank" rel="noopener noreferrer">
              <Name of={l.name} />
            </a>
          ))}
        </p>
      )}
    </>
  )
}
