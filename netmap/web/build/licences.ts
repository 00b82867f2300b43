import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin, Rollup } from 'vite'

/** Files of packages whose code is in a bundle. Workers are bundles of their own, built before the page's. */
const modules = new Set<string>()

/** Notes the files of a bundle. */
export function noteModules(): Plugin {
  return { name: 'note-modules', generateBundle: (_, bundle) => note(bundle) }
}

/** Writes the file LICENSES, with the licences of all packages that the bundles hold code of. */
export function writeLicences(): Plugin {
  return {
    name: 'write-licences',
    generateBundle(_, bundle) {
      note(bundle)
      this.emitFile({ type: 'asset', fileName: 'LICENSES', source: text([...modules]) })
    },
  }
}

function note(bundle: Rollup.OutputBundle) {
  for (const file of Object.values(bundle)) {
    if (file.type === 'chunk') for (const id of file.moduleIds) modules.add(id)
  }
}

/** The licences as one text, sorted by package. Fails if a package has no licence. */
export function text(ids: string[]): string {
  const parts = [...packages(ids)].map(([folder, files]) => part(folder, files)).sort()
  return [HEAD, ...parts].join(`\n${'-'.repeat(80)}\n\n`)
}

const HEAD = `The page of netconn's network map holds code of the packages below. Each is used under
its own licence, which follows. The licence of netconn itself is Apache-2.0.
`

/** The files by the folder of their package. */
function packages(ids: string[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const id of ids) {
    const folder = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\/[^?]*/.exec(id)
    if (folder) found.set(folder[1]!, [...(found.get(folder[1]!) ?? []), folder[0]])
  }
  return found
}

function part(folder: string, files: string[]): string {
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>
  const licence = readdirSync(folder).find((name) => /^licen[cs]e(\.(md|txt))?$/i.test(name))
  if (!licence || !about.license) throw new Error(`${about.name} is in the bundle and has no licence`)
  const own = readFileSync(join(folder, licence), 'utf8').replaceAll('\r\n', '\n').trim()
  const notices = files.sort().flatMap((file) => noticesOf(readFileSync(file, 'utf8')))
  const others = [...new Set(notices)].filter((notice) => !own.includes(firstCopyright(notice)))
  return [
    `${about.name} ${about.version} (${about.license})\n\n${own}\n`,
    ...others.map((notice) => `Notice in its source:\n\n${notice}\n`),
  ].join('\n')
}

/** Comments about copyright: a package keeps those of code that it took from others. */
export function noticesOf(source: string): string[] {
  const comments = source.match(/\/\*[^]*?\*\//g) ?? []
  return comments
    .filter((comment) => /copyright|licen[cs]e/i.test(comment))
    .map((comment) =>
      comment
        .replace(/^\/\*+!?|\*\/$/g, '')
        .split('\n')
        .map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
        .join('\n')
        .trim(),
    )
}

const firstCopyright = (notice: string) => /copyright.*/i.exec(notice)?.[0].trim() ?? notice
