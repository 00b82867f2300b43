import { useEffect, useRef, useState } from 'preact/hooks'
import { address, ask, type ApiError } from '../api/client.ts'
import { KINDS, type Tag, type TagValues } from '../api/types.ts'
import { bytes } from '../format.ts'
import { Name } from '../Text.tsx'
import { following, isKind, meaning, nameProposals, spotAt, take, type Spot } from './complete.ts'
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

/** The filter as a combobox. The text takes effect when the user presses Enter or leaves the field. */
export function FilterBox({ filter, tags, window, error, apply }: Props) {
  const box = useCombobox(filter, tags, window, apply)
  return (
    <div class="filter">
      <label for="filter">Filter</label>
      <div class="filter-field">
        <Field box={box} error={error} />
        {box.text && (
          <button type="button" class="clear" aria-label="Clear the filter" onClick={box.clear}>
            ×
          </button>
        )}
        <Proposals box={box} />
      </div>
      {error && (
        <p id="filter-error" class="field-error" role="alert">
          <Name of={told(error, filter)} />
        </p>
      )}
    </div>
  )
}

/** The text of the field and its cursor. */
function useText(filter: string) {
  const [text, setText] = useState(filter)
  const [cursor, setCursor] = useState(filter.length)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => setText(filter), [filter])
  const read = (e: Event) => {
    const el = e.currentTarget as HTMLInputElement
    setText(el.value)
    setCursor(el.selectionStart ?? el.value.length)
  }
  const put = ({ filter, cursor }: { filter: string; cursor: number }) => {
    setText(filter)
    setCursor(cursor)
    input.current!.value = filter
    input.current!.setSelectionRange(cursor, cursor)
    input.current!.focus()
  }
  return { text, setText, cursor, read, input, put }
}

type Combobox = ReturnType<typeof useCombobox>

/** The text in the field, the proposals at its cursor, and what keys do to them. */
function useCombobox(filter: string, tags: Tag[], window: number, apply: (filter: string) => void) {
  const { text, setText, cursor, read, input, put } = useText(filter)
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const spot = spotAt(text, cursor)
  const proposals = useProposals(open ? spot : null, tags, window)
  const shown = open && proposals.length > 0

  const accept = (p: Proposal) => {
    put(take(text, spot, p.text))
    setActive(-1)
  }
  const enter = () => {
    setOpen(false)
    setActive(-1)
    apply(text.trim())
  }
  const leave = () => {
    setOpen(false)
    if (text.trim() !== filter) apply(text.trim())
  }
  const clear = () => {
    setText('')
    apply('')
  }
  const step = (by: number) => {
    setOpen(true)
    setActive((a) => following(a, by, proposals.length))
  }
  const write = (e: Event) => {
    read(e)
    setOpen(true)
    setActive(-1)
  }
  const chosen = shown ? proposals[active] : undefined
  return {
    text,
    input,
    open,
    setOpen,
    active,
    proposals,
    shown,
    chosen,
    accept,
    enter,
    leave,
    clear,
    step,
    read,
    write,
  }
}

function Field({ box, error }: { box: Combobox; error: ApiError | null }) {
  return (
    <input
      id="filter"
      ref={box.input}
      type="text"
      value={box.text}
      role="combobox"
      autocomplete="off"
      spellcheck={false}
      maxLength={2048}
      aria-expanded={box.shown}
      aria-controls="filter-proposals"
      aria-autocomplete="list"
      aria-activedescendant={box.chosen && `proposal-${box.active}`}
      aria-invalid={error !== null}
      aria-describedby={error ? 'filter-error' : undefined}
      placeholder="client.namespace=prod  server.zone!=a  *pay*  server.address=10.0.0.0/8"
      onInput={box.write}
      onKeyDown={(e) => press(box, e)}
      onKeyUp={box.read}
      onClick={box.read}
      onFocus={() => box.setOpen(true)}
      onBlur={box.leave}
    />
  )
}

function press(box: Combobox, e: KeyboardEvent) {
  const { chosen } = box
  const keys: Record<string, (() => void) | false | undefined> = {
    ArrowDown: () => box.step(1),
    ArrowUp: () => box.step(-1),
    Enter: () => (chosen ? box.accept(chosen) : box.enter()),
    Tab: chosen && (() => box.accept(chosen)),
    Escape: box.open && (() => box.setOpen(false)),
  }
  const action = keys[e.key]
  if (!action) return
  e.preventDefault()
  if (e.key === 'Escape') e.stopPropagation() // or it would close the details as well
  action()
}

function Proposals({ box }: { box: Combobox }) {
  return (
    <ul id="filter-proposals" role="listbox" aria-label="Proposals" class="proposals" hidden={!box.shown}>
      {box.proposals.map((p, i) => (
        <li
          key={p.text}
          id={`proposal-${i}`}
          role="option"
          aria-selected={i === box.active}
          onMouseDown={(e) => {
            e.preventDefault()
            box.accept(p)
          }}
        >
          <span>
            <Name of={p.text} />
          </span>
          <small>{p.note}</small>
        </li>
      ))}
    </ul>
  )
}

function told(error: ApiError, filter: string): string {
  const at =
    error.offset === undefined
      ? ''
      : new TextDecoder().decode(new TextEncoder().encode(filter).slice(error.offset)).slice(0, 24)
  return at ? `${error.message}, at: ${at}` : error.message
}

/** Names of tags at once, and values when the collector has answered. A late answer for another spot is not shown. */
function useProposals(spot: Spot | null, tags: Tag[], window: number): Proposal[] {
  const [values, setValues] = useState<{ of: string; list: Proposal[] }>({ of: '', list: [] })
  const wanted =
    spot?.kind === 'value' && !isKind(spot.tag)
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
        () => setValues({ of: wanted, list: [] }), // the answer to the filter itself says what is wrong
      )
    }, 120)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [wanted])
  if (!spot) return []
  if (spot.kind === 'name') return nameProposals(tags, spot.text).map((text) => ({ text, note: meaning(text) }))
  if (isKind(spot.tag)) return kinds.filter((k) => k.text.startsWith(spot.text))
  return values.of === wanted ? values.list : []
}
