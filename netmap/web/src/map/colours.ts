/** The page's colours, for what CSS does not draw: the canvas, exported pictures and charts. */
export type Colours = Record<(typeof names)[number], string>

const names = [
  'canvas',
  'surface',
  'text',
  'muted',
  'line',
  'accent',
  'good',
  'warn',
  'bad',
  'none',
  'new',
  'group',
  'group-line',
] as const

/** The current colours of the theme, as rgb(). If the system forces its colours, they are those. */
export function colours(): Colours {
  const probe = document.createElement('span')
  probe.className = 'colour-probe'
  document.body.append(probe)
  const read = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const found = Object.fromEntries(names.map((name) => [name, read(name)])) as Colours
  probe.remove()
  return found
}

/**
 * Calls back when the system's colour scheme changes, or whether it forces its colours. Returns a function that stops
 * this.
 */
export function onSchemeChange(changed: () => void): () => void {
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((q) => matchMedia(q))
  for (const q of queries) q.addEventListener('change', changed)
  return () => queries.forEach((q) => q.removeEventListener('change', changed))
}
