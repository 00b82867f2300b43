import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findings } from './accessibility.ts'
import { launch, nodeNames, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { EVIL, mesh, self } from './mesh.ts'
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

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start()])
  await collector.send(mesh)
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
