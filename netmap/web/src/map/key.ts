import { KINDS, type Kind } from '../api/types.ts'
import type { Scope } from '../names.ts'
import { isEdgeTag, isShared } from '../tags.ts'

/** Who a node is, on every answer: its group, the tag and its value, and what kind of end it is. */
export interface Identity {
  kind: Kind
  tag: string
  name: string
  group: string
}

/** The identity as one word without commas or blanks, for the address and for maps. */
export function keyOf({ kind, tag, name, group }: Identity): string {
  return [kind, tag, name, group].map(encodeURIComponent).join('/')
}

/** The identity that a key tells; undefined if the text is no key. */
export function identityOf(key: string): Identity | undefined {
  const parts = key.split('/')
  if (parts.length !== 4) return undefined
  try {
    const [kind, tag, name, group] = parts.map(decodeURIComponent) as [string, string, string, string]
    return isKind(kind) ? { kind, tag, name, group } : undefined
  } catch {
    return undefined
  }
}

function isKind(s: string): s is Kind {
  return (KINDS as readonly string[]).includes(s)
}

/**
 * The terms of a filter that hold for one side of the edges of this node and of no other. `by` and `group` are the tags that the
 * nodes of the graph were asked by. What a node is not named by, its ends do not have.
 */
export function termsOf(side: 'client' | 'server', id: Identity, by: string, group: string): string[] {
  const terms: string[] = []
  if (id.kind === 'other' && id.tag === '') return [term(side, 'kind', 'other')]
  for (const tag of new Set([by, 'name', 'type'])) {
    if (tag === id.tag) {
      terms.push(term(side, tag, id.name))
      break
    }
    if (tag !== 'port' || side === 'server') terms.push(term(side, tag, ''))
  }
  if (group) terms.push(term(side, group, id.group))
  terms.push(term(side, 'kind', id.kind))
  return terms
}

/** The hops that never leave a pod, or a container without one. */
const WITHIN: Scope[] = ['pod', 'container']

/** The terms that leave out the hops within a pod. */
export const HOP_TERMS = WITHIN.map((scope) => `scope!=${scope}`)

/**
 * The terms that leave out the hops within a pod where the map leaves them out: if nodes are made of a tag that all
 * containers of a pod share, each such hop is from a node to itself. Names are such a tag if hops were folded.
 */
export function hopTerms(tags: string[], loops: { shown: boolean; folded: number }): string[] {
  const ofEnds = tags.filter((tag) => !isEdgeTag(tag))
  const within = ofEnds.every((tag) => isShared(tag) || (tag === 'name' && loops.folded > 0))
  return within && !loops.shown && !tags.includes('scope') ? HOP_TERMS : []
}

/** One exact term: the value is quoted, so that nothing in it means anything. */
export function term(side: 'client' | 'server' | '', tag: string, value: string): string {
  return `${side && side + '.'}${tag}=${value === '' ? '' : quote(value)}`
}

export function quote(value: string): string {
  return '"' + value.replaceAll('\\', '\\\\').replaceAll('"', '\\"') + '"'
}
