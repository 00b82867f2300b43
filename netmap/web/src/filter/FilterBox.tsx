import { useEffect, useRef, useState } from 'preact/hooks'
import { address, ask, type ApiError } from '../api/client.ts'
import { KINDS, type Tag, type TagValues } from '../api/types.ts'
import { bytes } from '../format.ts'
import { tagName } from '../tags.ts'
import { Name } from '../Text.tsx'
import { nameProposals, spotAt, take, type Spot } from './complete.ts'
import './FilterBox.css'

interface Proposal {
  text: string
  note: string
}

interface Props {
  filter: string
  tags: Tag[]
  window: number
  error: ApiError | null
  apply(filter: string): void
}

const kinds: Proposal[] = KINDS.map((text) => ({ text, note: '' }))

/**
 * The filter, a combobox: it proposes names of tags and, after an operator, values that there are. What is written counts when it is
 * entered, or left.
 */
export function FilterBox({ filter, tags, window, error, apply }: Props) {
  const [text, setText] = useState(filter)
  const [cursor, setCursor] = useState(filter.length)
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => setText(filter), [filter])

  const spot = spotAt(text, cursor)
  const proposals = useProposals(open ? spot : null, tags, window)
  const shown = open && proposals.length > 0

  const accept = (p: Proposal) => {
    const taken = take(text, spot, p.text)
    setText(taken.filter)
    setCursor(taken.cursor)
    setActive(-1)
    input.current!.value = taken.filter
    input.current!.setSelectionRange(taken.cursor, taken.cursor)
    input.current!.focus()
  }
  const enter = () => {
    setOpen(false)
    setActive(-1)
    apply(text.trim())
  }
  const key = (e: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 }
    const step = steps[e.key]
    if (step) {
      e.preventDefault()
      setOpen(true)
      setActive((a) =>
        proposals.length ? (a + step + proposals.length + (a < 0 && step < 0 ? 1 : 0)) % proposals.length : -1,
      )
    } else if (e.key === 'Enter') {
      e.preventDefault()
      if (shown && active >= 0) accept(proposals[active]!)
      else enter()
    } else if (e.key === 'Tab' && shown && active >= 0) {
      e.preventDefault()
      accept(proposals[active]!)
    } else if (e.key === 'Escape' && open) {
      e.preventDefault()
      e.stopPropagation()
      setOpen(false)
    }
  }
  const moved = (e: Event) => {
    const el = e.currentTarget as HTMLInputElement
    setText(el.value)
    setCursor(el.selectionStart ?? el.value.length)
  }

  return (
    <div class="filter">
      <label for="filter">Filter</label>
      <div class="filter-field">
        <input
          id="filter"
          ref={input}
          type="text"
          value={text}
          role="combobox"
          autocomplete="off"
          spellcheck={false}
          maxLength={2048}
          aria-expanded={shown}
          aria-controls="filter-proposals"
          aria-autocomplete="list"
          aria-activedescendant={shown && active >= 0 ? `proposal-${active}` : undefined}
          aria-invalid={error !== null}
          aria-describedby={error ? 'filter-error' : undefined}
          placeholder="client.namespace=prod  server.zone!=a  *pay*  server.address=10.0.0.0/8"
          onInput={(e) => {
            moved(e)
            setOpen(true)
            setActive(-1)
          }}
          onKeyDown={key}
          onKeyUp={moved}
          onClick={moved}
          onFocus={() => setOpen(true)}
          onBlur={() => {
            setOpen(false)
            if (text.trim() !== filter) apply(text.trim())
          }}
        />
        {text && (
          <button
            type="button"
            class="clear"
            aria-label="Clear the filter"
            onClick={() => {
              setText('')
              apply('')
            }}
          >
            ×
          </button>
        )}
        <ul id="filter-proposals" role="listbox" aria-label="Proposals" class="proposals" hidden={!shown}>
          {proposals.map((p, i) => (
            <li
              key={p.text}
              id={`proposal-${i}`}
              role="option"
              aria-selected={i === active}
              onMouseDown={(e) => {
                e.preventDefault()
                accept(p)
              }}
            >
              <span>
                <Name of={p.text} />
              </span>
              <small>{p.note}</small>
            </li>
          ))}
        </ul>
      </div>
      {error && (
        <p id="filter-error" class="field-error" role="alert">
          <Name of={told(error, filter)} />
        </p>
      )}
    </div>
  )
}

function told(error: ApiError, filter: string): string {
  const at =
    error.offset === undefined
      ? ''
      : new TextDecoder().decode(new TextEncoder().encode(filter).slice(error.offset)).slice(0, 24)
  return at ? `${error.message}, at: ${at}` : error.message
}

/** Names at once; values when the collector has told them. What comes late, for a spot that is no longer, is not shown. */
function useProposals(spot: Spot | null, tags: Tag[], window: number): Proposal[] {
  const [values, setValues] = useState<{ of: string; list: Proposal[] }>({ of: '', list: [] })
  const wanted =
    spot?.kind === 'value' && !spot.tag.endsWith('.kind')
      ? address(`tags/${encodeURIComponent(spot.tag)}/values`, { search: spot.text, window, limit: 12 })
      : null
  useEffect(() => {
    if (!wanted) return
    const abort = new AbortController()
    const timer = setTimeout(() => {
      ask<TagValues>(wanted, null, abort.signal).then(
        (reply) =>
          setValues({
            of: wanted,
            list: reply!.data.values
              .filter((v) => v.value !== '')
              .map((v) => ({ text: v.value, note: bytes(v.volume) })),
          }),
        () => setValues({ of: wanted, list: [] }), // the answer to the filter itself says what is wrong with it
      )
    }, 120)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [wanted])
  if (!spot) return []
  if (spot.kind === 'name') return nameProposals(tags, spot.text).map((text) => ({ text, note: note(text) }))
  if (spot.tag.endsWith('.kind')) return kinds.filter((k) => k.text.startsWith(spot.text))
  return values.of === wanted ? values.list : []
}

function note(name: string): string {
  const [side, ...rest] = name.split('.')
  if (name.endsWith('.kind')) return `${side}: internal, external, unresolved`
  if ((side === 'client' || side === 'server') && rest.length) return `${tagName(rest.join('.'))} of the ${side}`
  return `${tagName(name)}`
}
