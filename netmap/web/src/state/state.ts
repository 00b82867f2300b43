/**
 * What the page shows is one value, and that value is the address: whoever opens the same address sees the same page. Only what
 * differs from the default is written, so that a plain address stays plain. An unknown or malformed parameter is the default.
 */

export type View = 'map' | 'table'
export type Theme = 'auto' | 'light' | 'dark'
export type Selection =
  { kind: 'node'; id: string } | { kind: 'edge'; from: string; to: string } | { kind: 'row'; id: string }

export interface State {
  view: View
  /** The preset whose explanation is shown; what it set stands in the other fields. */
  preset: string
  /** Tags that nodes are made of, and that they are grouped by ('' for no groups). */
  by: string
  group: string
  /** The tags that a row of the table stands for, with commas. */
  clients: string
  servers: string
  size: string
  width: string
  colour: string
  filter: string
  /** Seconds that the figures are over. */
  window: number
  problems: boolean
  /** Flags that edges must have: new, zones, regions, unresolved; with commas. */
  only: string
  /** Shows the hops between an application and its own sidecar where both are one node. */
  loops: boolean
  /** Nodes that are left out of the map. */
  hide: string[]
  focus: string
  /** Steps from the focus that are still shown. */
  hops: number
  find: string
  sort: string
  selected: Selection | null
  /** Unix seconds at which the view is paused; 0 while it is live. */
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
  hide: [],
  focus: '',
  hops: 1,
  find: '',
  sort: '-volume',
  selected: null,
  end: 0,
  theme: 'auto',
}

/** How a field is written: undefined from `read` means that the text is no value of the field. */
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

/** Keys of nodes and rows hold no comma (see map/key.ts), so commas join them. */
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
  window: integer(10, 3600),
  problems: flag,
  only: text,
  loops: flag,
  hide: list,
  focus: text,
  hops: integer(1, 5),
  find: text,
  sort: text,
  selected: selection,
  end: integer(0, 99_999_999_999),
  theme: choice('auto', 'light', 'dark'),
}

/** The state that an address's query tells. */
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

/** The query that tells the state, with its question mark, or nothing for the default. */
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
