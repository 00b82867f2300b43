/** Colours of the page for what CSS does not draw: the canvas, exported pictures, charts. */
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

/** What the theme's colours are now, as rgb(): the system's own where it forces its colours. */
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

/** Calls back when the system's scheme or its forced colours change. Returns what ends it. */
export function onSchemeChange(changed: () => void): () => void {
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((q) => matchMedia(q))
  for (const q of queries) q.addEventListener('change', changed)
  return () => queries.forEach((q) => q.removeEventListener('change', changed))
}
