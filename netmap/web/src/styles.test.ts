import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const src = fileURLToPath(new URL('.', import.meta.url))
const files = readdirSync(src, { recursive: true }).map(String)
const read = (file: string) => readFileSync(join(src, file), 'utf8')
const sheets = files.filter((f) => f.endsWith('.css'))
const sources = files.filter((f) => /\.tsx?$/.test(f) && !f.includes('.test.'))

/** The classes in the selectors of a sheet. */
function classes(css: string): string[] {
  const selectors = css.replace(/\/\*.*?\*\//gs, '').matchAll(/([^{};]+)\{/g)
  return [...new Set([...selectors].flatMap(([, s]) => [...s!.matchAll(/\.([a-z][\w-]*)/g)].map((m) => m[1]!)))]
}

/** Sheets of the whole page, which main.tsx loads first. */
const shared = ['theme.css', 'base.css']

describe.each(sheets.filter((f) => !shared.includes(f)))('%s', (sheet) => {
  test('is loaded by the component beside it, and by no other', () => {
    const name = sheet.split('/').at(-1)!
    const importers = sources.filter((f) => read(f).includes(`/${name}'`))
    expect(importers).toEqual([sheet.replace(/\.css$/, '.tsx')])
  })

  test('is short', () => expect(read(sheet).split('\n').length).toBeLessThanOrEqual(400))
})

test.each(sheets)('every class of %s is used', (sheet) => {
  const text = [...sources.map(read), readFileSync(join(src, '../index.html'), 'utf8')].join('\n')
  const used = (name: string) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text)
  // level-warn is made of the level's name
  const made = (name: string) => name.startsWith('level-') && used(name.slice('level-'.length))
  expect(classes(read(sheet)).filter((name) => !used(name) && !made(name))).toEqual([])
})
