import type { EndTag } from '../names.ts'
import { attributeOf, nodeName } from '../tags.ts'

/** Tags that name an end, the most specific first. */
const BEST: EndTag[] = ['pod', 'workload', 'service', 'container', 'unit', 'executable', 'name', 'domain', 'address']

/** The most specific name of an end, with its container, or words for its type. */
export function endTitle(end: Record<string, string>): string {
  const type = end[attributeOf('type')] || 'unknown'
  const name = BEST.map((tag) => end[attributeOf(tag)]).find(Boolean) ?? nodeName({ tag: 'type', name: type })
  const container = end[attributeOf('container')]
  return container && container !== name ? `${name} / ${container}` : name
}
