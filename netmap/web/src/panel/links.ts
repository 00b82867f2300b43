import type { Link } from '../api/types.ts'

/**
 * The URL of a link for one end, from the operator's template. Undefined if the end lacks what the link needs, or if
 * the URL is not that of a web page. Values are percent-encoded, so no value can change the link's target.
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
