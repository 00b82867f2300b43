import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { link, peer, self, type Container } from './mesh.ts'
import type { Report } from './otlp.ts'

const container = (workload: string, host: string, proxy?: string): Container => ({
  service: workload,
  workload,
  container: proxy ? 'istio-proxy' : workload,
  tag: '1',
  pod: `${workload}-${host}`,
  host,
  proxy,
})

const shop = container('shop', 'n1')
const stock = container('stock', 'n2')
const ztunnel = { n1: container('ztunnel', 'n1', 'ztunnel'), n2: container('ztunnel', 'n2', 'ztunnel') }
const inTheNameOf = { 'netconn.original_source.name': 'shop.bookinfo' }

/** What the client of a leg reports. */
const leg = (client: Container, server: Container, scope: string, port: number, tx: number, more = {}): Report => ({
  local: self(client),
  peer: { ...peer(server), ...link('client', scope, port, more) },
  tx,
  rx: 90_000,
  attempts: 3,
  active: 1,
  rtt: 0.001,
})

let browser: Browser
let collector: Collector

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start()])
  await collector.send([
    leg(shop, ztunnel.n1, 'node', 9080, 5000),
    leg(ztunnel.n1, stock, 'remote', 15008, 7000, inTheNameOf), // to the address of the pod that it is for
    leg(ztunnel.n2, stock, 'node', 9080, 5000, inTheNameOf),
  ])
})

afterAll(async () => {
  await browser?.close()
  await collector?.stop()
})

test('a call through ztunnels is one edge by workload, and its panel says how it goes', async () => {
  const { page, complaints } = await open(browser, collector.page + '?by=workload')
  await page.locator('.nodes [role=option]', { hasText: 'stock' }).waitFor()
  expect(await page.locator('.nodes [role=option]').count()).toBe(2)
  await page.locator('.nodes [role=option]', { hasText: 'shop' }).click()
  await page.locator('.neighbours button', { hasText: 'stock' }).click()
  const panel = page.locator('.panel')
  await panel.locator('h2', { hasText: 'shop → stock through ztunnel' }).waitFor()
  await panel.locator('.ends summary', { hasText: 'through ztunnel' }).waitFor()
  expect(await panel.locator('.ends summary').count()).toBe(1)
  expect(plain((await panel.textContent())!)).toContain('95 kB')
  expect(complaints).toEqual([])
})

test('by container both legs are there, and the encrypted hop is not', async () => {
  const { page } = await open(browser, collector.page + '?by=container&group=workload')
  await page.locator('.nodes [role=option]', { hasText: 'istio-proxy' }).click()
  await page.locator('.neighbours button', { hasText: '→ stock' }).waitFor()
  const edges = await page.locator('.neighbours button').allTextContents()
  expect(edges.length).toBe(2)
  for (const e of edges) expect(plain(e)).toContain('95 kB')
})
