import { KINDS, type Tag } from '../api/types.ts'
import { quote } from '../map/key.ts'
import { tagName } from '../tags.ts'

/** The part of a filter at the cursor, which a proposal replaces. */
export interface Spot {
  /** Names are proposed for a term without an operator, values after one. */
  kind: 'name' | 'value'
  /** The tag whose values are proposed, with its side: client.namespace. */
  tag: string
  /** What the user has written of it so far. */
  text: string
  start: number
  end: number
}

/** Finds the spot at the cursor. It reads quotes, negations and lists of values as the collector does. */
export function spotAt(filter: string, cursor: number): Spot {
  const { start, end } = termAround(filter, cursor)
  const negation = /^[!-]/.test(filter.slice(start, end)) ? 1 : 0
  const term = filter.slice(start + negation, end)
  const operator = /^[\w.]+(!?=)/.exec(term)
  const begin = start + negation + (operator ? operator[0].length : 0)
  if (!operator || cursor < begin)
    return { kind: 'name', tag: '', text: filter.slice(start + negation, cursor), start: start + negation, end }
  const comma = lastComma(filter.slice(begin, cursor))
  const from = begin + comma
  const tag = operator[0].slice(0, -operator[1]!.length)
  return {
    kind: 'value',
    tag,
    text: filter.slice(from, cursor).replace(/^"/, ''),
    start: from,
    end: valueEnd(filter, from, end),
  }
}

function termAround(filter: string, cursor: number): { start: number; end: number } {
  let start = 0
  let quoted = false
  for (let i = 0; i < filter.length; i++) {
    const c = filter[i]!
    if (c === '\\' && quoted) i++
    else if (c === '"') quoted = !quoted
    else if (/\s/.test(c) && !quoted) {
      if (i >= cursor) return { start, end: i }
      start = i + 1
    }
  }
  return { start, end: filter.length }
}

/** Where the last value of a list begins. */
function lastComma(values: string): number {
  let quoted = false
  let after = 0
  for (let i = 0; i < values.length; i++) {
    if (values[i] === '\\' && quoted) i++
    else if (values[i] === '"') quoted = !quoted
    else if (values[i] === ',' && !quoted) after = i + 1
  }
  return after
}

function valueEnd(filter: string, from: number, end: number): number {
  let quoted = false
  for (let i = from; i < end; i++) {
    if (filter[i] === '\\' && quoted) i++
    else if (filter[i] === '"') quoted = !quoted
    else if (filter[i] === ',' && !quoted) return i
  }
  return end
}

/**
 * The tag names that fit the spot, the best first. A tag of an end has three names: either end's, the client's, the
 * server's.
 */
export function nameProposals(tags: Tag[], text: string, most = 12): string[] {
  const wanted = text.toLowerCase()
  const known = tags.filter((t) => t.values > 0)
  const names = [
    ...known.filter((t) => t.of === 'end').flatMap((t) => [t.tag, 'client.' + t.tag, 'server.' + t.tag]),
    ...known.filter((t) => t.of === 'edge').map((t) => t.tag),
    'client.kind',
    'server.kind',
  ]
  const rank = (name: string) => (name.startsWith(wanted) ? 0 : name.includes(wanted) ? 1 : 2)
  return [...new Set(names)]
    .filter((name) => rank(name) < 2)
    .sort((a, b) => rank(a) - rank(b) || (a.includes('.') ? 1 : 0) - (b.includes('.') ? 1 : 0))
    .slice(0, most)
}

/** Reports whether the name is that of an end's kind. The kind of a workload is an ordinary tag. */
export const isKind = (name: string) => /^((client|server)\.)?kind$/.test(name)

/** What a proposed name of a tag stands for. */
export function meaning(name: string): string {
  const [, side, tag] = /^(?:(client|server)\.)?(.*)$/.exec(name)!
  if (isKind(name)) return `${side}: ${KINDS.join(', ')}`
  return side ? `${tagName(tag!)} of the ${side}` : tagName(name)
}

/** The index of the proposal that an arrow key leads to. The list is a ring; -1 is none. */
export function following(active: number, by: number, count: number): number {
  if (!count) return -1
  if (active < 0) return by > 0 ? 0 : count - 1
  return (active + by + count) % count
}

/** A value as a filter writes it: quoted if it holds characters with a meaning. */
export function valueText(value: string): string {
  return /[\s",*\\]/.test(value) ? quote(value) : value
}

/** The filter after a proposal is taken, and the new position of the cursor. */
export function take(filter: string, spot: Spot, proposal: string): { filter: string; cursor: number } {
  const text = spot.kind === 'name' ? proposal + '=' : valueText(proposal)
  const rest = filter.slice(spot.end)
  const blank = spot.kind === 'value' && !/^[\s,]/.test(rest) ? ' ' : ''
  const before = filter.slice(0, spot.start) + text + blank
  return { filter: before + rest, cursor: before.length }
}

/** The filter with these terms added, each only if it is missing. */
export function withTerms(filter: string, terms: string[]): string {
  const have = new Set(split(filter))
  return [filter.trim(), ...terms.filter((t) => !have.has(t))].filter(Boolean).join(' ')
}

/** The filter without these terms. */
export function withoutTerms(filter: string, terms: string[]): string {
  return split(filter)
    .filter((t) => !terms.includes(t))
    .join(' ')
}

/** The terms of a filter. */
export function split(filter: string): string[] {
  return filter.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? []
}
