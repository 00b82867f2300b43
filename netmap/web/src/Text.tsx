import { legible, pieces } from './text.ts'

/** A name from outside: it cannot reorder the text around it. */
export function Name({ of }: { of: string }) {
  return <bdi>{legible(of)}</bdi>
}

/** A text with isolated names in it (see text.ts). */
export function Text({ of }: { of: string }) {
  return <>{pieces(of).map((p, i) => (p.name ? <bdi key={i}>{p.text}</bdi> : p.text))}</>
}
