import type { EndTag } from '../names.ts'
import { attributeOf, nodeName } from '../tags.ts'

/** The tags that name an end, the most particular first. */
const BEST: EndTag[] = ['pod', 'workload', 'service', 'container', 'unit', 'executable', 'name', 'domain', 'address']

/** The best name in an end's attributes, with its container; words for an end of which only the type is known. */
export function endTitle(end: Record<string, string>): string {
  const type = end[attributeOf('type')] || 'unknown'
  const name = BEST.map((tag) => end[attributeOf(tag)]).find(Boolean) ?? nodeName({ tag: 'type', name: type })
  const container = end[attributeOf('container')]
  return container && container !== name ? `${name} / ${container}` : name
}
