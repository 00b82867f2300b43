import type { Link } from '../api/types.ts'

/**
 * A link for one end, from the operator's template; undefined if the end lacks what it needs, or if it would not lead to a web page.
 * Values are percent-encoded, so that none of them can change where the link leads.
 */
export function fill(link: Link, end: Record<string, string>, from: number, to: number): string | undefined {
  if (link.needs.some((name) => !end[name])) return undefined
  const values: Record<string, string> = {
    ...end,
    from: String(Math.floor(from * 1000)),
    to: String(Math.ceil(to * 1000)),
  }
  const url = link.url.replace(/\{([\w.]+)\}/g, (_, name: string) =>
    Object.hasOwn(values, name) ? encodeURIComponent(values[name]!) : '',
  )
  try {
    const { protocol } = new URL(url)
    return protocol === 'http:' || protocol === 'https:' ? url : undefined
  } catch {
    return undefined
  }
}
