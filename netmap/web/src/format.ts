/**
 * Figures for people: three digits, a no-break space and a unit. A figure that was not measured is a dash, never 0.
 */

const NBSP = '\u00a0'
export const NONE = '–'

/** Bytes in powers of 1000, as usual for networks: 1.23 MB. */
export function bytes(n: number | null | undefined): string {
  return scaled(n, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'])
}

/** Bytes a second. */
export function rate(n: number | null | undefined): string {
  const s = bytes(n)
  return s === NONE ? s : s + '/s'
}

/** A count: 12,345 as 12.3k. */
export function count(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE
  return Math.abs(n) < 1000 ? digits(n) : scaled(n, 1000, ['', 'k', 'M', 'G']).replace(NBSP, '')
}

/** CPUs in use: `0.25 CPU`. */
export function cpus(n: number | null | undefined): string {
  if (n === null || n === undefined) return NONE
  const text = n === 0 ? '0' : n < 0.0005 ? '<0.001' : n.toFixed(n < 0.0995 ? 3 : 2)
  return `${text}${NBSP}CPU`
}

/** The cost of a day, from that of a time in seconds: 1.23 USD. */
export function costOfDay(n: number | null | undefined, seconds: number, currency: string): string {
  if (n === null || n === undefined || !(seconds > 0)) return NONE
  const text = count((n / seconds) * 86400)
  return currency && text !== NONE ? text + NBSP + currency : text
}

/** A share between 0 and 1. */
export function percent(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE
  const p = n * 100
  if (p > 0 && p < 0.01) return `<${NBSP}0.01${NBSP}%`.replace(NBSP, '')
  if (p > 99.9 && p < 100) return `99.9${NBSP}%`
  return digits(p) + NBSP + '%'
}

/** A duration: 850 µs, 12.3 ms, 1.2 s. */
export function seconds(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE
  if (n === 0) return `0${NBSP}s`
  if (n < 1e-3) return digits(n * 1e6) + NBSP + 'µs'
  if (n < 1) return digits(n * 1e3) + NBSP + 'ms'
  return digits(n) + NBSP + 's'
}

/** An age in whole units: 3 s, 5 min, 2 h. */
export function age(n: number): string {
  const s = Math.max(0, Math.round(n))
  if (s < 90) return s + NBSP + 's'
  if (s < 5400) return Math.round(s / 60) + NBSP + 'min'
  if (s < 129600) return Math.round(s / 3600) + NBSP + 'h'
  return Math.round(s / 86400) + NBSP + 'd'
}

/** The length of a window in words: 5 minutes. */
export function span(s: number): string {
  const [seconds, minutes, hours] = [Math.round(s), Math.round(s / 60), Math.round(s / 3600)]
  if (seconds < 60) return plural(seconds, 'second')
  if (minutes < 60) return plural(minutes, 'minute')
  return hours < 48 ? plural(hours, 'hour') : plural(Math.round(s / 86_400), 'day')
}

/** `1 edge`, `2 edges`. */
export function plural(n: number, one: string, many = one + 's'): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`
}

function scaled(n: number | null | undefined, base: number, units: string[]): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE
  let value = n
  let unit = 0
  while (Math.abs(value) >= base * 0.9995 && unit < units.length - 1) {
    value /= base
    unit++
  }
  return digits(value) + NBSP + units[unit]
}

function digits(n: number): string {
  if (n === 0) return '0'
  const size = Math.abs(n)
  if (size >= 99.95) return Math.round(n).toLocaleString('en')
  const text = size >= 9.995 ? n.toFixed(1) : size >= 0.01 ? n.toFixed(2) : n.toPrecision(1)
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text
}
