import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { noticesOf, text } from './licences.ts'

/** A file of a package in a folder of its own. */
function made(name: string, files: Record<string, string>): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'licences-')), 'node_modules', name)
  mkdirSync(folder, { recursive: true })
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content)
  return join(folder, 'index.js')
}

const about = (name: string) => JSON.stringify({ name, version: '1.2.3', license: 'MIT' })

test('each package is there once, by name, with its licence', () => {
  const b = made('b', { 'package.json': about('b'), LICENSE: 'Copyright B\r\nfor all\r\n', 'index.js': '' })
  const a = made('@x/a', { 'package.json': about('@x/a'), 'license.md': 'Copyright A', 'index.js': '' })
  const all = text([b, a, b + '?worker', '/page/src/main.tsx', '\0runtime'])
  expect(all.match(/^\S+ 1\.2\.3 \(MIT\)$/gm)).toEqual(['@x/a 1.2.3 (MIT)', 'b 1.2.3 (MIT)'])
  expect(all).toContain('\n\nCopyright B\nfor all\n')
})

test('a package without a licence fails', () => {
  expect(() => text([made('c', { 'package.json': about('c'), 'index.js': '' })])).toThrow(
    'c is in the bundle and has no',
  )
})

test('code that a package took from others keeps its notices', () => {
  const source = '/** Copyright D */ /* a comment */ /*!\n * Copyright E\n * MIT License\n */ f()'
  expect(noticesOf(source)).toEqual(['Copyright D', 'Copyright E\nMIT License'])
  const d = made('d', { 'package.json': about('d'), LICENSE: 'Copyright D', 'index.js': source })
  expect(text([d])).toContain('Notice in its source:\n\nCopyright E\nMIT License\n')
  expect(text([d]).match(/Copyright D/g)).toHaveLength(1)
})

test('the committed file names every package that the page imports, and what these import', () => {
  const read = (file: string) => readFileSync(fileURLToPath(new URL(file, import.meta.url)), 'utf8')
  const committed = read('../dist/LICENSES')
  const { dependencies } = JSON.parse(read('../package.json')) as { dependencies: Record<string, string> }
  for (const [name, version] of Object.entries(dependencies)) expect(committed).toContain(`${name} ${version} (`)
  for (const name of ['d3-dispatch', 'd3-quadtree', 'd3-timer'])
    expect(committed).toMatch(new RegExp(`^${name} \\S+ \\(ISC\\)$`, 'm'))
})
