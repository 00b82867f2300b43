import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Flows } from '../src/api/types.ts'
import { bytes } from '../src/format.ts'
import { findings } from './accessibility.ts'
import { figure, launch, nodeNames, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { expected, mesh } from './mesh.ts'

let browser: Browser
let collector: Collector

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start()])
  await collector.send(mesh)
})

afterAll(async () => {
  await browser?.close()
  await collector?.stop()
})

describe('the table', () => {
  test('adds up to what was sent, as the map does', async () => {
    const { page, complaints } = await open(
      browser,
      collector.page + '?view=table&clients=workload&servers=workload,port',
    )
    const sent = expected(mesh)
    await page.locator('.dependencies tbody tr').first().waitFor()
    expect(await figure(page, 'Volume')).toBe(plain(bytes(sent.tx + sent.rx)))
    const rows = await page
      .locator('.dependencies tbody tr')
      .evaluateAll((all) => all.map((tr) => tr.children[2]!.textContent))
    expect(rows.map((s) => plain(s!))).toEqual(['46 MB', '45 MB', '9.9 MB', '2.5 MB', '1.4 MB', '80.1 kB'])
    const failing = page.locator('.dependencies tbody tr', { hasText: 'ratings' })
    expect(plain((await failing.textContent())!)).toContain('5 refused, 2 timed out')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('is sorted by what is clicked, and back is back', async () => {
    const { page } = await open(browser, collector.page + '?view=table&clients=workload&servers=workload,port')
    const first = () => page.locator('.dependencies tbody tr').first().textContent()
    await expect.poll(first).toContain('public addresses')
    await page.getByRole('button', { name: 'Resent', exact: true }).click()
    await expect.poll(first).toContain('ratings')
    expect(await page.locator('th[aria-sort=descending]').textContent()).toContain('Resent')
    await page.goBack()
    await expect.poll(first).toContain('public addresses')
    await page.close()
  })

  test('is exported whole, in plain numbers', async () => {
    const { page } = await open(browser, collector.page + '?view=table&clients=workload&servers=workload,port')
    await page.locator('.dependencies tbody tr').first().waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export CSV' }).click(),
    ])
    const lines = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\r\n')
    const head = lines[0]!.split(',')
    const column = (name: string) =>
      lines
        .slice(1)
        .map((l) => +l.split(',')[head.indexOf(name)]!)
        .reduce((a, b) => a + b, 0)
    const sent = expected(mesh)
    expect([column('tx_bytes'), column('rx_bytes'), column('attempts'), column('failures')]).toEqual([
      sent.tx,
      sent.rx,
      sent.attempts,
      sent.failures,
    ])
    expect(column('failures_refused')).toBe(5)
    await page.close()
  })

  test('a row opens with its course, both ends and the way to their traces', async () => {
    const { page, complaints } = await open(
      browser,
      collector.page + '?view=table&clients=workload&servers=workload,port&filter=server.workload%3Dratings',
    )
    await page.locator('.dependencies tbody tr', { hasText: 'ratings' }).click()
    await page.locator('.chart canvas').nth(3).waitFor()
    expect(await page.locator('.plot').first().getAttribute('aria-label')).toMatch(
      /^Throughput\. to the server: latest/,
    )
    const attributes = await page.locator('.ends .end').first().textContent()
    expect(attributes).toContain('k8s.pod.name')
    expect(attributes).toContain('reviews-v1')
    const traces = page.getByRole('link', { name: /Traces/ }).first()
    expect(await traces.getAttribute('href')).toMatch(
      /^https:\/\/jaeger\.example\.com\/search\?service=reviews&start=\d{16}&end=\d{16}$/,
    )
    const events = await page
      .getByRole('link', { name: /Events/ })
      .evaluateAll((all) => all.map((a) => a.getAttribute('href')))
    expect(events.slice(0, 2).map((url) => new URL(url!).searchParams.toString().replace(/&from=.*/, ''))).toEqual([
      'service=reviews&peer=ratings&port=9080',
      'service=ratings&peer=reviews&port=9080',
    ])
    expect(await traces.getAttribute('rel')).toBe('noopener noreferrer')
    const row = await collector.api<Flows>(
      'flows?clients=workload&servers=workload,port&filter=server.workload%3Dratings',
    )
    expect(plain((await page.locator('.summary').first().textContent())!)).toContain(
      plain(`${bytes(row.tx[0])} out, ${bytes(row.rx[0])} back`),
    )
    expect(complaints).toEqual([])
    await page.close()
  })
})

describe('the address', () => {
  test('holds all of the state: another browser shows the same', async () => {
    const { page } = await open(browser, collector.page)
    await nodeNames(page)
    await page.getByLabel('Nodes by').selectOption('workload')
    await page.getByLabel('in groups by').selectOption('zone')
    await page.getByLabel('Colour').selectOption('retransmits')
    await page.getByLabel('Width').selectOption('attempts')
    await page.getByLabel('Last').selectOption('900')
    await page.getByLabel('Theme').selectOption('dark')
    await page.locator('#filter').fill('namespace=bookinfo -server.kind=unresolved')
    await page.locator('#filter').press('Enter')
    await page.locator('.nodes [role=option]', { hasText: 'reviews' }).click()
    await page.getByRole('button', { name: 'Focus' }).click()
    await page.getByLabel('steps').selectOption('2')
    await page.locator('.neighbours button', { hasText: '→ ratings' }).click()
    await page.locator('.panel h2', { hasText: /^reviews in \S+ → ratings in \S+$/ }).waitFor()
    const look = async (p: Page) => ({
      names: (await nodeNames(p)).sort(),
      panel: await p.locator('.panel h2').textContent(),
      theme: await p.evaluate(() => document.documentElement.dataset.theme),
      selects: await p.locator('select').evaluateAll((all) => all.map((s) => (s as HTMLSelectElement).value)),
      filter: await p.locator('#filter').inputValue(),
    })
    const before = await look(page)
    const other = await open(browser, page.url())
    await other.page.locator('.panel h2').waitFor()
    await expect.poll(() => look(other.page)).toEqual(before)
    expect(before.names).toEqual(['details', 'gateway', 'productpage', 'ratings', 'reviews'])
    await other.page.close()
    await page.close()
  })

  test('of a link from elsewhere opens the page', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto('data:text/html,<a>link</a>')
    await page.evaluate((url) => {
      document.querySelector('a')!.href = url
    }, collector.page + '?by=workload&focus=internal%2Fworkload%2Freviews%2F')
    await page.locator('a').click()
    expect((await nodeNames(page)).sort()).toEqual(['productpage', 'ratings', 'reviews'])
    await context.close()
  })
})

describe('whoever has no mouse', () => {
  test('filters with proposals, finds a node, opens it, follows an edge and closes it', async () => {
    const { page } = await open(browser, collector.page + '?by=workload')
    await nodeNames(page)
    await tabTo(page, '#filter')
    await page.keyboard.type('server.work')
    await page.locator('.proposals li', { hasText: 'server.workload' }).first().waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator('.proposals li', { hasText: 'ratings' }).waitFor()
    await page.keyboard.type('rat')
    await expect
      .poll(() => page.locator('.proposals li').allTextContents())
      .toEqual([expect.stringContaining('ratings')])
    await page.keyboard.press('ArrowDown')
    await expect.poll(() => page.locator('#filter').getAttribute('aria-activedescendant')).toBe('proposal-0')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await expect.poll(async () => (await nodeNames(page)).sort()).toEqual(['ratings', 'reviews'])
    expect(new URL(page.url()).searchParams.get('filter')).toBe('server.workload=ratings')

    await tabTo(page, '.nodes [role=listbox]')
    await page.keyboard.press('ArrowDown')
    const chosen = page.locator('.nodes [aria-selected=true]')
    await chosen.waitFor()
    expect(await page.locator('.nodes [role=listbox]').getAttribute('aria-activedescendant')).toBe(
      await chosen.getAttribute('id'),
    )
    await page.locator('.neighbours button').waitFor()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('panel')
    await tabTo(page, '.neighbours button')
    await page.keyboard.press('Enter')
    await page.locator('.panel h2', { hasText: 'reviews → ratings' }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('.panel').count()).toBe(0)

    await tabTo(page, '.top nav a:nth-child(2)')
    await page.keyboard.press('Enter')
    await tabTo(page, '.dependencies tbody button')
    await page.keyboard.press('Enter')
    await page.locator('.panel h2', { hasText: 'reviews → ratings:9080' }).waitFor()
    await page.close()
  })
})

/** Presses Tab until an element has the focus. Fails if the keyboard cannot reach it. */
async function tabTo(page: Page, selector: string) {
  for (let i = 0; i < 120; i++) {
    if (await page.evaluate((s) => document.activeElement?.matches(s) ?? false, selector)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`${selector} cannot be reached by the keyboard`)
}

test('enlarged to four times its size, everything is still there, one below the other', async () => {
  const { page, complaints } = await open(browser, collector.page + '?by=workload', {
    viewport: { width: 360, height: 640 },
  })
  expect((await nodeNames(page)).length).toBe(7)
  await page.getByRole('link', { name: 'Cross-zone' }).scrollIntoViewIfNeeded()
  expect(
    await page.evaluate(() => document.documentElement.scrollWidth),
    'nothing is beside the page',
  ).toBeLessThanOrEqual(360)
  await page.locator('.map-canvas').scrollIntoViewIfNeeded()
  expect(await page.locator('.map-canvas').boundingBox()).toMatchObject({ width: 360 })
  expect(complaints).toEqual([])
  await page.close()
})

describe.each([
  ['light', { colorScheme: 'light' as const }],
  ['dark', { colorScheme: 'dark' as const }],
  ['forced colours', { colorScheme: 'dark' as const, forcedColors: 'active' as const }],
])('in %s', (_, options) => {
  test.each([
    ['the map', '?by=workload&group=zone', '.nodes [role=option]'],
    ['the table', '?view=table&preset=retransmits&sort=-retransmits', '.dependencies tbody tr'],
  ])('%s is for everybody', async (_, query, item) => {
    const { page, complaints } = await open(browser, collector.page + query, options)
    await page.locator(item).first().click()
    await page.locator('.chart canvas').first().waitFor()
    expect(await findings(page)).toEqual([])
    expect(complaints).toEqual([])
    await page.context().close()
  })
})

test('what the system asks for is what is drawn', async () => {
  const background = async (options: Parameters<typeof open>[2]) => {
    const { page } = await open(browser, collector.page, options)
    await nodeNames(page)
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.context().close()
    return colour
  }
  expect(await background({ colorScheme: 'light' })).toBe('rgb(246, 247, 249)')
  expect(await background({ colorScheme: 'dark' })).toBe('rgb(13, 18, 27)')
  expect(await background({ colorScheme: 'dark', forcedColors: 'active' })).toBe('rgb(0, 0, 0)')
})
