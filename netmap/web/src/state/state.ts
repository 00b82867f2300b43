/**
 * The state of the page is one value, and its address holds all of it: the same address shows the same page to
 * everybody. The address holds only what differs from the default. An unknown or malformed parameter has the default.
 */

export type View = 'map' | 'table'
export type Theme = 'auto' | 'light' | 'dark'
export type Selection =
  { kind: 'node'; id: string } | { kind: 'edge'; from: string; to: string } | { kind: 'row'; id: string }

export interface State {
  view: View
  /** The preset that is explained. What it has set is in the other fields. */
  preset: string
  /** The tags that nodes and groups are made of ('' for no groups). */
  by: string
  group: string
  /** The tags that a row of the table is made of, separated by commas. */
  clients: string
  servers: string
  size: string
  width: string
  colour: string
  filter: string
  /** The length of the window in seconds. */
  window: number
  problems: boolean
  /** Flags that edges must have (new, zones, regions, unresolved), separated by commas. */
  only: string
  /** Shows the hops between an application and its own sidecar where both are one node. */
  loops: boolean
  /** Shows the day before beside each row of the table. */
  compare: boolean
  /** Keys of hidden nodes. */
  hide: string[]
  focus: string
  /** How far from the focused node others are shown, in steps. */
  hops: number
  find: string
  sort: string
  selected: Selection | null
  /** The Unix time in seconds at which the view is paused; 0 while it is live. */
  end: number
  theme: Theme
}

export const defaults: State = {
  view: 'map',
  preset: '',
  by: 'name',
  group: '',
  clients: 'name',
  servers: 'name,port',
  size: 'volume',
  width: 'volume',
  colour: 'problems',
  filter: '',
  window: 300,
  problems: false,
  only: '',
  loops: false,
  compare: false,
  hide: [],
  focus: '',
  hops: 1,
  find: '',
  sort: '-volume',
  selected: null,
  end: 0,
  theme: 'auto',
}

/** Writes and reads a field. `read` returns undefined if the text is not a value of the field. */
interface Codec<T> {
  read(text: string): T | undefined
  write(value: T): string
}

const text: Codec<string> = { read: (s) => s.slice(0, 2000), write: (s) => s }
const flag: Codec<boolean> = { read: (s) => (s === '1' ? true : undefined), write: (b) => (b ? '1' : '0') }

function choice<T extends string>(...values: T[]): Codec<T> {
  return { read: (s) => values.find((v) => v === s), write: (v) => v }
}

function integer(low: number, high: number): Codec<number> {
  return {
    read: (s) => (/^\d{1,11}$/.test(s) && +s >= low && +s <= high ? +s : undefined),
    write: String,
  }
}

/** Keys of nodes and rows hold no commas (see map/key.ts), so commas separate them. */
const list: Codec<string[]> = {
  read: (s) => s.slice(0, 8000).split(',').filter(Boolean).slice(0, 200),
  write: (keys) => keys.join(','),
}

const selection: Codec<Selection | null> = {
  read(s) {
    const [kind, a, b, ...rest] = s.split(',')
    if ((kind === 'node' || kind === 'row') && a && b === undefined) return { kind, id: a }
    if (kind === 'edge' && a && b && !rest.length) return { kind, from: a, to: b }
    return undefined
  },
  write(v) {
    if (!v) return ''
    return v.kind === 'edge' ? `edge,${v.from},${v.to}` : `${v.kind},${v.id}`
  },
}

const codecs: { [K in keyof State]: Codec<State[K]> } = {
  view: choice('map', 'table'),
  preset: text,
  by: text,
  group: text,
  clients: text,
  servers: text,
  size: text,
  width: text,
  colour: text,
  filter: text,
  window: integer(10, 30 * 86_400),
  problems: flag,
  only: text,
  loops: flag,
  compare: flag,
  hide: list,
  focus: text,
  hops: integer(1, 5),
  find: text,
  sort: text,
  selected: selection,
  end: integer(0, 99_999_999_999),
  theme: choice('auto', 'light', 'dark'),
}

/** The state that the query of an address holds. */
export function parse(query: string): State {
  const params = new URLSearchParams(query)
  const state: Record<string, unknown> = { ...defaults }
  for (const key of Object.keys(codecs) as (keyof State)[]) {
    const written = params.get(key)
    if (written === null) continue
    const value = codecs[key].read(written)
    if (value !== undefined) state[key] = value
  }
  return state as unknown as State
}

/** The query that holds the state, with its question mark; '' for the default state. */
export function serialise(state: State): string {
  const params = new URLSearchParams()
  for (const key of Object.keys(codecs) as (keyof State)[]) {
    const codec = codecs[key] as Codec<unknown>
    const value = codec.write(state[key])
    if (value !== codec.write(defaults[key])) params.set(key, value)
  }
  const query = params.toString()
  return query && '?' + query
}
