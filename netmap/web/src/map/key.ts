import { KINDS, type Kind } from '../api/types.ts'
import type { Scope } from '../names.ts'
import { isEdgeTag, isShared } from '../tags.ts'

/**
 * The identity of a node, which is the same in every answer: its kind, the tag that names it, its name and its group.
 */
export interface Identity {
  kind: Kind
  tag: string
  name: string
  group: string
  /** The name of what an id is of, in the answers that have it. It is no part of the key. */
  label?: string
}

/** The identity as one word without commas or blanks, for the address and for maps. */
export function keyOf({ kind, tag, name, group }: Identity): string {
  return [kind, tag, name, group].map(encodeURIComponent).join('/')
}

/** The identity of a key; undefined if the text is not a key. */
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
 * The terms of a filter that match one side of the edges of this node only. `by` and `group` are the tags that the
 * graph was requested by. A node is named by the first tag that its ends have.
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

/** Scopes of hops that never leave a pod, or a container without a pod. */
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

/** One term that matches exactly this value. Nothing in a quoted value has a meaning. */
export function term(side: 'client' | 'server' | '', tag: string, value: string): string {
  return `${side && side + '.'}${tag}=${value === '' ? '' : quote(value)}`
}

export function quote(value: string): string {
  return '"' + value.replaceAll('\\', '\\\\').replaceAll('"', '\\"') + '"'
}
