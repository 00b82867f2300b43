import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Signals } from '../src/api/signals.ts'
import { findings } from './accessibility.ts'
import { launch, nodeNames, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { EVIL, link, mesh, peer as peerOf, self } from './mesh.ts'
import type { Report } from './otlp.ts'
import { closed, sendLogs, sendSpans, sendUsage, type SentSpan } from './signals.ts'

let browser: Browser
let collector: Collector

const ratings = self({
  service: 'ratings',
  workload: 'ratings',
  container: 'ratings',
  tag: '1.20.3',
  pod: 'ratings-1.20.3',
  host: 'n2',
})
const trace = (n: number) => n.toString(16).padStart(32, 'a')
const peer = { 'network.peer.address': '10.0.0.7', 'network.peer.port': 40001 }

const calls: SentSpan[] = [
  ...Array.from({ length: 18 }, (_, i) => ({ name: 'GET /ratings', took: 5, trace: trace(i + 1) })),
  { name: 'GET /slow', took: 1400, trace: trace(100), attributes: peer },
  { name: EVIL, took: 3, failed: true, trace: trace(101), attributes: { 'http.response.status_code': 503 } },
]

/** An edge whose client opens a connection for each call. */
const pod = (name: string) => ({
  service: name,
  workload: name,
  container: name,
  tag: '1.1',
  pod: `${name}-1`,
  host: 'n1',
})
const hasty: Report = {
  local: self(pod('orders')),
  peer: { ...peerOf(pod('stock')), ...link('client', 'node') },
  tx: 600_000,
  rx: 600_000,
  attempts: 6000,
  closed: 6000,
}

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start()])
  await collector.send([...mesh, hasty])
  await sendUsage(collector.otlp, self(pod('orders')), { 'container.cpu.usage': 0.2 })
  await sendUsage(collector.otlp, self(pod('stock')), {
    'container.cpu.usage': 0.48,
    'k8s.container.cpu_limit': 0.5,
    'container.memory.working_set': 64e6,
    'k8s.container.memory_limit': 128e6,
  })
  await sendSpans(collector.otlp, ratings, calls)
  await sendLogs(collector.otlp, ratings, [
    { severityNumber: 17, body: { stringValue: `no stock ${EVIL}` }, traceId: trace(101) },
    { severityNumber: 9, body: { stringValue: 'fine' } },
    closed('reviews', '10.0.0.7', 40001, 2),
  ])
  await sendUsage(collector.otlp, ratings, {
    'container.cpu.usage': 0.45,
    'k8s.container.cpu_limit_utilization': 0.9,
    'container.memory.working_set': 64e6,
    'k8s.container.memory_limit': 128e6,
  })
})

afterAll(async () => {
  await browser?.close()
  await collector?.stop()
})

test('a slow call is found in two clicks, with its trace and its connection', async () => {
  const { page, complaints } = await open(
    browser,
    collector.page + '?view=table&clients=workload&servers=workload,port',
  )
  await page.locator('.dependencies tbody tr', { hasText: 'ratings' }).click()
  const server = page.getByLabel('Signals of the server')
  const slow = server.locator('.span', { hasText: 'GET /slow' })
  await slow.locator('summary').click()
  const text = plain((await slow.textContent())!)
  expect(text).toContain('10.0.0.7:40001 → 10.0.0.8:9080')
  expect(await slow.getByRole('link').getAttribute('href')).toBe(`https://jaeger.example.com/trace/${trace(100)}`)
  expect(complaints).toEqual([])
  await page.close()
})

test('a failed call with a hostile name is found in two clicks, and the totals are those that were sent', async () => {
  const { page, complaints } = await open(browser, collector.page + '?by=workload')
  await nodeNames(page)
  await page.locator('.nodes [role=option]', { hasText: 'ratings' }).click()
  const server = page.getByLabel('Signals of the server')
  const failed = server.getByRole('list', { name: 'Failed calls' }).locator('.span')
  await failed.locator('summary').click()
  expect(await failed.locator('summary').textContent()).toContain(EVIL)
  expect(plain((await server.locator('.calls h4').textContent())!)).toMatch(
    new RegExp(`^Calls served: ${calls.length}, 1 failed \\(5 %\\).*slowest 1.4 s$`),
  )
  expect(await server.getByRole('list', { name: /Error logs \(last 1 of 2 records\)/ }).textContent()).toContain(EVIL)
  expect(plain((await server.locator('.usage tbody tr').textContent())!).replaceAll('\u00a0', ' ')).toMatch(
    /0\.45 CPU of 0\.50 CPU \(90 %\).*64 MB of 128 MB \(50 %\)/,
  )
  expect(await page.title()).not.toBe('owned')
  expect(await page.locator('.panel img, .panel script').count()).toBe(0)
  expect(complaints).toEqual([])
  await page.close()
})

test('a figure of the head leads to its list by keyboard, and the panel has no fault of accessibility', async () => {
  const { page, complaints } = await open(browser, collector.page + '?by=workload')
  await nodeNames(page)
  await page.locator('.nodes [role=option]', { hasText: 'ratings' }).click()
  await page.locator('.glance').getByRole('button', { name: '1 failed' }).press('Enter')
  const list = page.locator('.list:focus')
  expect(await list.locator('h5').textContent()).toBe('Failed calls')
  await page.locator('.chart canvas').first().waitFor()
  expect(await findings(page)).toEqual([])
  expect(complaints).toEqual([])
  await page.close()
})

test('all charts have one cursor', async () => {
  const { page } = await open(browser, collector.page + '?view=table&clients=workload&servers=workload,port')
  await page.locator('.dependencies tbody tr', { hasText: 'ratings' }).click()
  await page.locator('.plot[aria-label^="CPU"] canvas').waitFor()
  const charts = await page.locator('.chart').count()
  await page.locator('.plot[aria-label^="Throughput"]').hover()
  await expect.poll(() => page.locator('.chart figcaption time').count()).toBe(charts)
  await page.close()
})

test('the highest churn has the CPU and memory that it costs, and what to do', async () => {
  const { page, complaints } = await open(browser, collector.page)
  await page.getByRole('link', { name: 'Highest churn' }).click()
  await page.getByRole('columnheader', { name: 'Server load' }).waitFor()
  const heads = await page.locator('.dependencies thead th').allTextContents()
  const row = page.locator('.dependencies tbody tr').first()
  const cells = (await row.locator('> *').allTextContents()).map((cell) => plain(cell))
  const from = heads.findIndex((head) => head.startsWith('Attempts'))
  expect(heads.slice(from + 1, from + 3)).toEqual(['Client load', 'Server load'])
  expect(cells[from]).toMatch(/^6k[\d.]+k?\/s$/)
  expect(cells.slice(from + 1, from + 3)).toEqual(['0.20 CPU–', '✖ 0.48 CPU (96 %)64 MB (50 %)'])
  expect(await findings(page)).toEqual([])
  await row.click()
  const advice = plain((await page.locator('.churn').textContent())!)
  expect(advice).toContain(
    '20 new connections a second; the client uses 0.20 CPU, ' +
      'the server uses 0.48 CPU of 0.50 CPU (96 %) and 64 MB of 128 MB (50 %).',
  )
  expect(advice).toContain('maxConnections in the connectionPool.tcp of a DestinationRule')
  expect(complaints).toEqual([])
  await page.close()
})

test('a deployment is a line in the charts, and a sentence', async () => {
  const { page } = await open(browser, 'about:blank')
  await page.route('**/api/v1/signals?*', async (route) => {
    const response = await route.fetch()
    const answer = (await response.json()) as Signals
    const at = answer.to - 150
    answer.deployments = [{ at, name: 'ratings', image_tag: '2.0', before: '1.20.3', side: 'server' }]
    await route.fulfill({ response, json: answer })
  })
  await page.goto(collector.page + '?view=table&clients=workload&servers=workload,port')
  await page.locator('.dependencies tbody tr', { hasText: 'ratings' }).click()
  const list = page.getByRole('list', { name: 'Deployments' })
  expect(plain((await list.textContent())!)).toMatch(/deployed ratings 1\.20\.3 → 2\.0$/)
  await expect.poll(() => highestLine(page, 'CPU')).toBeGreaterThan(40)
  await page.close()
})

/** The pixels of the mark's colour in the column of a chart that has most of them. */
function highestLine(page: Page, title: string): Promise<number> {
  return page.locator(`.plot[aria-label^="${title}"] canvas`).evaluate((el) => {
    const canvas = el as HTMLCanvasElement
    const colour = getComputedStyle(canvas).getPropertyValue('--new')
    const { data, width, height } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
    const [r, g, b] = colour.match(/[0-9a-f]{2}/gi)!.map((x) => parseInt(x, 16))
    const near = (x: number, y: number) => {
      const i = (y * width + x) * 4
      return (
        data[i + 3]! > 60 && Math.abs(data[i]! - r!) + Math.abs(data[i + 1]! - g!) + Math.abs(data[i + 2]! - b!) < 30
      )
    }
    const rows = [...Array(height).keys()]
    return Math.max(...[...Array(width).keys()].map((x) => rows.filter((y) => near(x, y)).length))
  })
}
