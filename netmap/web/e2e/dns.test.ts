import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { figure, launch, nodeNames, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { link, mesh, peer, self, type Container } from './mesh.ts'
import type { Attributes, Report } from './otlp.ts'

const container = (workload: string, host: string): Container => ({
  service: workload,
  workload,
  container: workload,
  tag: '1',
  pod: workload + '-1',
  host,
})
const shop = container('shop', 'n1')
const cart = container('cart', 'n2')
const coredns = container('coredns', 'n2')

/** What points of DNS have: neither a transport nor a translation. */
const asks = (role: 'client' | 'server', of: Attributes): Attributes => ({
  ...of,
  'netconn.role': role,
  'server.port': 53,
  'netconn.peer.scope': 'remote',
})
const service: Attributes = {
  'netconn.peer.type': 'service',
  'netconn.peer.name': 'kube-dns',
  'netconn.peer.k8s.namespace.name': 'kube-system',
}

const none = { tx: 0, rx: 0 }
const dns: Report[] = [
  {
    ...none,
    local: self(shop),
    peer: asks('client', service),
    lookups: { responses: { NOERROR: 60, NXDOMAIN: 40, SERVFAIL: 5 }, timeouts: 2, time: 0.25 },
  },
  {
    ...none,
    local: self(coredns),
    peer: asks('server', peer(shop)),
    lookups: { responses: { NOERROR: 60, NXDOMAIN: 41 }, time: 0.0004 },
  },
  { ...none, local: self(cart), peer: asks('client', service), lookups: { responses: { NOERROR: 8 }, time: 0.002 } },
]

const BUCKET = 'orders.s3.eu-west-1.amazonaws.com'
const HOSTILE = '<b>x</b>.example.com'
const out = (more: Attributes): Attributes => ({
  'netconn.peer.type': 'public',
  ...link('client', 'remote', 443),
  ...more,
})
const outside: Report[] = [
  {
    local: self(shop),
    peer: out({ 'netconn.peer.domain': BUCKET }),
    tx: 11_000,
    rx: 2_000_000,
    attempts: 4,
    active: 1,
  },
  { local: self(cart), peer: out({ 'netconn.peer.domain': BUCKET }), tx: 4000, rx: 1_000_000, attempts: 1, active: 1 },
  { local: self(shop), peer: out({ 'netconn.peer.domain': HOSTILE }), tx: 500, rx: 600, attempts: 1, active: 1 },
  { local: self(shop), peer: out({}), tx: 70, rx: 80, attempts: 1, active: 1 },
]

let browser: Browser
let collector: Collector
let without: Collector

beforeAll(async () => {
  ;[browser, collector, without] = await Promise.all([launch(), Collector.start(), Collector.start()])
  await Promise.all([collector.send([...mesh, ...dns, ...outside]), without.send(mesh)])
})

afterAll(async () => {
  await browser?.close()
  await Promise.all([collector?.stop(), without?.stop()])
})

test('the preset lists who looks up names where, the server that fails most first', async () => {
  const { page, complaints } = await open(browser, collector.page)
  await page.locator('.presets a', { hasText: 'DNS' }).click()
  const rows = page.locator('.dependencies tbody tr')
  await rows.first().waitFor()
  const heads = (await page.locator('.dependencies thead th').allTextContents()).map(plain)
  expect(heads).toEqual(['Client', 'Server', 'Look-ups', 'Failed look-ups ▾', 'Look-up time'])
  const shown = await rows.evaluateAll((all) =>
    all.map((tr) => [
      ...[...tr.querySelectorAll('.name')].slice(0, 1).map((el) => el.textContent),
      ...[...tr.querySelectorAll('td')].map((td) => td.innerText.split(/\s+/).join(' ')),
    ]),
  )
  expect(shown).toHaveLength(3)
  expect(shown[0]).toEqual(['shop', 'kube-dns:53', '107 40 NXDOMAIN, 5 SERVFAIL, 2 timed out', '7 6.54 %', '250 ms'])
  const rest = Object.fromEntries(shown.slice(1).map(([client, ...cells]) => [client, cells]))
  expect(rest.shop).toEqual(['coredns:53', '101 41 NXDOMAIN', '0', '400 µs'])
  expect(rest.cart).toEqual(['kube-dns:53', '8', '0', '2 ms'])
  expect(await figure(page, 'Look-ups')).toBe('216')
  expect(await figure(page, 'Edges')).toBe('3')

  await rows.first().locator('button.row').click()
  const panel = page.locator('#panel')
  await panel.locator('.chart').first().waitFor()
  const charts = await panel.locator('.charts').innerText()
  expect(charts).toContain('Look-up time')
  expect(charts, 'there are no connections').not.toContain('Round trip')
  expect(plain(await panel.locator('.summary').innerText())).toMatch(/Look-ups\s+107, 7 failed/)
  expect(complaints).toEqual([])
  await page.close()
})

test('all traffic has the columns of look-ups only where there are some', async () => {
  for (const [url, there] of [
    [collector.page, true],
    [without.page, false],
  ] as const) {
    const { page, complaints } = await open(browser, url + '?view=table')
    await page.locator('.dependencies tbody tr').first().waitFor()
    const head = await page.locator('.dependencies thead').innerText()
    expect(head).toContain('Round trip')
    expect(head.includes('Look-ups')).toBe(there)
    const cells = await page.locator('.dependencies tbody tr').first().locator('td, th').count()
    expect(cells).toBe(await page.locator('.dependencies thead th').count())
    expect(complaints).toEqual([])
    await page.close()
  }
})

test('the map colours the servers that fail, and only those', async () => {
  const { page, complaints } = await open(browser, collector.page + '?only=lookups&colour=lookups&width=lookups')
  expect(await nodeNames(page)).toHaveLength(4)
  const levels = await page
    .locator('.nodes [role=option]')
    .evaluateAll((all) => all.map((el) => [el.querySelector('.name')!.getAttribute('title'), el.className]))
  expect(Object.fromEntries(levels)).toEqual({
    'kube-dns': 'level-bad',
    shop: 'level-warn',
    coredns: 'level-good',
    cart: 'level-good',
  })
  expect(complaints).toEqual([])
  await page.close()
})

test('peers outside are nodes by the domain that was asked for', async () => {
  const { page, complaints } = await open(browser, collector.page)
  const all = await nodeNames(page)
  expect(all).toContain(BUCKET)
  expect(all, 'a name is text').toContain(HOSTILE)
  expect(all, 'what has no name stays a class').toContain('public addresses')

  const terms = encodeURIComponent(`server.domain=${BUCKET}`)
  await page.goto(`${collector.page}?view=table&servers=domain&filter=${terms}`)
  const rows = page.locator('.dependencies tbody tr')
  await rows.nth(1).waitFor()
  const shown = await rows.evaluateAll((trs) =>
    trs.map((tr) => [...tr.querySelectorAll('.name')].map((el) => el.textContent)),
  )
  expect(shown).toEqual([
    ['shop', BUCKET],
    ['cart', BUCKET],
  ])
  const flows = await collector.api<{ tx: number[]; rx: number[]; server_kind: number[]; kinds: string[] }>(
    `flows?servers=domain&filter=${terms}`,
  )
  expect([flows.tx, flows.rx]).toEqual([
    [11_000, 4000],
    [2_000_000, 1_000_000],
  ])
  expect(flows.server_kind.map((k) => flows.kinds[k])).toEqual(['external', 'external'])
  expect(complaints).toEqual([])
  await page.close()
})
