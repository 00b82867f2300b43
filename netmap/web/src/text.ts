/**
 * People choose the names of workloads, executables and hosts. A name may hold characters that change the text around
 * it, such as a right-to-left override, a line feed or an escape sequence.
 */

/**
 * Controls, bidirectional controls (UAX #9), line and paragraph separators, and halves of surrogate pairs. The joiners
 * U+200C and U+200D stay: scripts and emoji need them.
 */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/
export const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/
const HIDDEN = new RegExp(`${CONTROL.source}|${LONE_SURROGATE.source}`, 'g')

/** The name with a replacement character for each invisible character. */
export function legible(name: string): string {
  return name.replace(HIDDEN, '\ufffd')
}

const [FSI, PDI] = ['\u2068', '\u2069']

/**
 * The name in a first strong isolate, so that a name in a right-to-left script keeps its place in the text. The
 * component Text shows such a string; labels for screen readers take it as it is.
 */
export function isolated(name: string): string {
  return name && FSI + legible(name) + PDI
}

/** The text cut at its isolated names, in order. */
export function pieces(text: string): { text: string; name: boolean }[] {
  return text
    .split(/(\u2068[^\u2069]*\u2069)/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith(FSI) ? { text: part.slice(1, -1), name: true } : { text: part, name: false }))
}
