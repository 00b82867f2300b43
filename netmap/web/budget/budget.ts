import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { figure, launch, open } from '../e2e/browser.ts'
import { Collector } from '../e2e/collector.ts'
import { link, peer, self, type Container } from '../e2e/mesh.ts'
import type { Report } from '../e2e/otlp.ts'

/** A store with 1,000 workloads and 5,000 edges. The default view draws as much of it as it ever draws. */
const WORKLOADS = 1000
const EDGES = 5000
const REFRESHES = 10
/** Steps of ten seconds that the store holds before the page is opened. */
const HISTORY = 15
const LOADS = 7

interface Row {
  what: string
  target: string
  measured: string
}

const rows: Row[] = []
let browser: Browser
let collector: Collector

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start({ NETCONN_LEARNING: '1h' })])
  for (let step = HISTORY; step >= 0; step--) await feed(step * 10)
})

afterAll(async () => {
  await browser?.close()
  await collector?.stop()
  console.log(markdown())
})

/** Sends one collection that ended so many seconds ago. Its figures vary by half, like real traffic. */
async function feed(ago = 0) {
  const of = (i: number): Container => ({
    service: `s${i}`,
    workload: `workload-${i}`,
    container: 'app',
    tag: '1',
    host: `n${i % 20}`,
    pod: `p${i}`,
  })
  const reports = Array.from({ length: EDGES }, (_, i): Report => {
    const [client, server] = [i % WORKLOADS, (i * 7 + Math.floor(i / WORKLOADS) + 1) % (WORKLOADS / 4)]
    const bytes = Math.round((1e7 / (1 + (i % 500))) * (0.5 + Math.random()))
    return {
      local: self(of(client)),
      peer: { ...peer(of(server)), ...link('client', 'remote', 8000 + (i % 3)) },
      tx: bytes,
      rx: 3 * bytes,
      attempts: 5,
      failures: i % 40 ? {} : { refused: 1 },
      active: 2,
      retransmits: i % 25 ? 0 : 9,
      rtt: 0.001,
    }
  })
  for (let i = 0; i < reports.length; i += 1000)
    await collector.send(reports.slice(i, i + 1000), Date.now() - ago * 1000)
}

test('size', () => {
  const assets = fileURLToPath(new URL('../dist/assets/', import.meta.url))
  const sizes = readdirSync(assets)
    .filter((name) => /\.(js|css)\.gz$/.test(name))
    .map((name) => readFileSync(assets + name).length)
  expect(sizes.length).toBeGreaterThan(3)
  rows.push({
    what: 'JavaScript and CSS, compressed',
    target: '<= 220 kB',
    measured: `${(sizes.reduce((a, b) => a + b) / 1000).toFixed(1)} kB`,
  })
})

test('first paint', async () => {
  const paints: number[] = []
  const maps: number[] = []
  for (let i = 0; i < LOADS; i++) {
    const { page } = await open(browser, collector.page)
    await page.locator('.nodes [role=option]').first().waitFor()
    await page.locator('.map-canvas canvas').first().waitFor()
    paints.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]!.startTime))
    maps.push(await page.evaluate(() => performance.now()))
    await page.context().close()
  }
  rows.push({ what: 'first paint from loopback, nothing cached', target: '< 1 s', measured: told(paints, 'ms') })
  rows.push({ what: 'the map and its list are there', target: '', measured: told(maps, 'ms') })
})

test('a refresh', async () => {
  const { page } = await open(browser, collector.page)
  await page.locator('.nodes [role=option]').first().waitFor()
  await page.waitForTimeout(3000)
  rows.unshift({ what: 'drawn', target: '<= 150 nodes, 500 edges', measured: await drawn(page) })
  const longest: number[] = []
  for (let i = 0; i < REFRESHES; i++) {
    await feed()
    const volume = await figure(page, 'Volume')
    await browser.startTracing(page, {
      categories: ['disabled-by-default-devtools.timeline', 'devtools.timeline', 'toplevel'],
    })
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await expect.poll(() => figure(page, 'Volume'), { timeout: 20_000 }).not.toBe(volume)
    await page.waitForTimeout(1000)
    longest.push(longestTask(await browser.stopTracing()))
  }
  rows.push({
    what: `longest task of the main thread in each of ${REFRESHES} refreshes, processor time`,
    target: '<= 50 ms',
    measured: told(longest, 'ms'),
  })
  await page.context().close()
})

test('panning', async () => {
  const { page } = await open(browser, collector.page)
  await page.locator('.nodes [role=option]').first().waitFor()
  await page.waitForTimeout(3000)
  const box = (await page.locator('.map-canvas').boundingBox())!
  const [x, y] = [box.x + box.width - 60, box.y + box.height - 60] // a corner where there is nothing to hit
  const before = await page.locator('.map-canvas').screenshot()
  await page.mouse.move(x, y)
  await page.mouse.down()
  await page.evaluate(() => {
    const w = window as unknown as { frames: number[] }
    w.frames = []
    let last = performance.now()
    const tick = (now: number) => {
      w.frames.push(now - last)
      last = now
      requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  })
  for (let i = 1; i <= 240; i++) {
    await page.mouse.move(x - 150 + 150 * Math.cos(i / 12), y - 100 + 100 * Math.cos(i / 17))
    await page.waitForTimeout(8)
  }
  await page.mouse.up()
  await page.waitForTimeout(500)
  expect(before.equals(await page.locator('.map-canvas').screenshot()), 'the map has moved').toBe(false)
  const frames = await page.evaluate(() => (window as unknown as { frames: number[] }).frames.slice(5))
  rows.push({
    what: `frames while panning (${frames.length} of them, no GPU)`,
    target: 'median <= 20 ms',
    measured: told(frames, 'ms'),
  })
  await page.context().close()
})

/** The numbers of nodes and edges on the map. */
function drawn(page: Page): Promise<string> {
  return page
    .locator('.map-canvas')
    .getAttribute('aria-label')
    .then((label) => /\d+ nodes, \d+ edges/.exec(label!)![0])
}

/**
 * CPU time of the longest task of the page's main thread, in milliseconds. Wall time would include other processes.
 */
function longestTask(trace: Buffer): number {
  interface Event {
    name: string
    ph: string
    pid: number
    tid: number
    tdur?: number
    args?: { name?: string }
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: Event[] }
  const threads = traceEvents.filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain')
  const main = threads.map((e) => `${e.pid}/${e.tid}`)
  const tasks = traceEvents.filter((e) => e.ph === 'X' && /RunTask$/.test(e.name) && main.includes(`${e.pid}/${e.tid}`))
  expect(tasks.length, 'the trace has the tasks of the page').toBeGreaterThan(10)
  return Math.max(...tasks.map((e) => (e.tdur ?? 0) / 1000))
}

function told(samples: number[], unit: string): string {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0)
  return `median ${at(0.5)} ${unit}, p95 ${at(0.95)} ${unit}, most ${at(1)} ${unit}`
}

function markdown(): string {
  const lines = rows.map((r) => `| ${r.what} | ${r.target} | ${r.measured} |`)
  return (
    `\n${EDGES} edges between ${WORKLOADS} workloads; ${cpus().length} processors, ${cpus()[0]!.model.trim()}, ` +
    'load not counted.\n\n' +
    ['| what | target | measured |', '|---|---|---|', ...lines].join('\n') +
    '\n'
  )
}
