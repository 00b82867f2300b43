// Copies what vite built to dist. Each file that gzip makes a fifth smaller gets a compressed copy beside it. Versions
// of gzip write different bytes, so a compressed copy stays if it unpacks to the file: the same sources leave dist
// unchanged.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'

const built = 'build/out'
const dist = 'dist'
const BUDGET = 220_000

const files = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map(String)
        .filter((name) => statSync(join(folder, name)).isFile())
        .sort()
    : []

function unpacked(path) {
  try {
    return gunzipSync(readFileSync(path))
  } catch {
    return null
  }
}

const wanted = new Set()
let total = 0
for (const name of files(built)) {
  const plain = readFileSync(join(built, name))
  const [to, packed] = [join(dist, name), join(dist, name + '.gz')]
  mkdirSync(dirname(to), { recursive: true })
  cpSync(join(built, name), to)
  wanted.add(relative(dist, to))
  const small = gzipSync(plain, { level: 9 })
  if (/\.(js|css)$/.test(name)) total += small.length
  if (small.length > plain.length * 0.8) continue
  wanted.add(relative(dist, packed))
  if (!unpacked(packed)?.equals(plain)) writeFileSync(packed, small)
}
for (const name of files(dist)) if (!wanted.has(name)) rmSync(join(dist, name))

console.log(`JavaScript and CSS: ${(total / 1000).toFixed(1)} kB compressed, of at most ${BUDGET / 1000} kB`)
if (total > BUDGET) process.exit(1)
