import { createServer, type Server } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exported, launch, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { mesh } from './mesh.ts'

/** A source that answers as Prometheus does. Without alerts it answers as a server that is broken. */
class Source {
  alerts: object[] | null = []
  private readonly server: Server = createServer((request, response) => {
    if (request.url !== '/api/v1/alerts' || !this.alerts) {
      response.writeHead(503).end()
      return
    }
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ status: 'success', data: { alerts: this.alerts } }))
  })

  listen(): Promise<string> {
    return new Promise((done) =>
      this.server.listen(0, '127.0.0.1', () =>
        done(`http://127.0.0.1:${(this.server.address() as { port: number }).port}`),
      ),
    )
  }

  close() {
    this.server.closeAllConnections()
    this.server.close()
  }
}

const EVIL = '<img src=x onerror=alert(1)>'
const since = new Date(Date.now() - 300_000).toISOString()
const firing = {
  labels: { alertname: 'ReviewsDown', deployment: 'reviews', namespace: 'bookinfo', severity: 'critical' },
  annotations: {
    summary: EVIL,
    runbook_url: 'https://runbooks.example/reviews',
    evil_url: 'javascript:alert(1)',
  },
  state: 'firing',
  activeAt: since,
}
const pending = { labels: { alertname: 'Slow', service_name: 'details' }, annotations: {}, state: 'pending' }
const elsewhere = { labels: { alertname: 'Backup', pod: 'backup-0' }, annotations: {}, state: 'firing' }

let browser: Browser
let collector: Collector
let without: Collector
const source = new Source()

beforeAll(async () => {
  const endpoint = await source.listen()
  ;[browser, collector, without] = await Promise.all([
    launch(),
    Collector.start(
      {},
      `extensions::netmap::alerts: {endpoint: "${endpoint}", poll_interval: 1s}`,
      'extensions::netmap::thresholds: {failures: {warn: 0.9, bad: 0.95}, retransmits: {warn: 1000, bad: 2000}}',
    ),
    Collector.start(),
  ])
  await Promise.all([collector.send(mesh), without.send(mesh)])
})

afterAll(async () => {
  await browser?.close()
  await Promise.all([collector?.stop(), without?.stop()])
  source.close()
})

const option = (page: Page, name: string) =>
  page.locator('.nodes [role=option]', { has: page.locator(`[title="${name}"]`) })
const levels = (page: Page) =>
  page
    .locator('.nodes [role=option]')
    .evaluateAll((all) =>
      Object.fromEntries(all.map((el) => [el.querySelector('.name')!.getAttribute('title'), el.className])),
    )

test('alerts mark the right nodes by ring, words and colour, and end with the alert', async () => {
  source.alerts = [firing, pending, elsewhere]
  const { page, complaints } = await open(browser, `${collector.page}?by=workload&colour=alerts`)
  await option(page, 'reviews').locator('.level.bad', { hasText: '1 firing' }).waitFor()
  await option(page, 'details').locator('.level.warn', { hasText: '1 pending' }).waitFor()
  expect(await levels(page)).toMatchObject({
    reviews: 'level-bad',
    details: 'level-warn',
    ratings: 'level-good',
    productpage: 'level-good',
  })
  const { text } = await exported(page)
  expect(text.match(/◉ 1 firing/g)).toHaveLength(1)
  expect(text.match(/◎ 1 pending/g)).toHaveLength(1)
  expect(text.match(/<circle[^>]* fill="none" stroke="[^"]+" stroke-width="3"\/>/g), 'a solid ring').toHaveLength(1)
  expect(text.match(/<circle[^>]* fill="none"[^>]* stroke-dasharray/g), 'a dashed ring').toHaveLength(1)
  expect(await page.locator('.legend').textContent()).toContain('an alert is firing')

  source.alerts = []
  await expect
    .poll(() => levels(page), { timeout: 30_000 })
    .toMatchObject({ reviews: 'level-good', details: 'level-good' })
  expect(complaints).toEqual([])
  await page.close()
})

test('the panel lists the alerts of a node and of an edge, with links of the web only', async () => {
  source.alerts = [firing, pending, elsewhere]
  const { page, complaints } = await open(browser, `${collector.page}?by=workload`)
  await option(page, 'reviews').locator('.level.bad', { hasText: '1 firing' }).waitFor({ timeout: 30_000 })
  await option(page, 'reviews').click()
  const list = page.locator('#panel .alert-list li')
  await list.first().waitFor()
  expect(plain((await list.allTextContents()).join('\n'))).toMatch(
    /^◉ firing, critical ReviewsDown for 5 min, about workload reviews/,
  )
  expect(await list.allTextContents()).toHaveLength(1)
  expect(await list.textContent(), 'a summary is text').toContain(EVIL)
  expect(await list.locator('a').evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href))).toEqual([
    'https://runbooks.example/reviews',
  ])
  expect(await list.locator('a').getAttribute('rel')).toContain('noopener')
  // The other end of an edge has no alert; the edge has that of its server.
  await page.locator('.neighbours button', { hasText: '← productpage' }).click()
  await expect.poll(async () => (await list.allTextContents()).join()).toContain(', the server')
  expect(complaints).toEqual([])
  await page.close()
})

test('the preset leaves the edges with alerts, and the bar lists alerts about no node', async () => {
  source.alerts = [firing, pending, elsewhere]
  const { page } = await open(browser, `${collector.page}?by=workload`)
  await option(page, 'reviews').locator('.level.bad', { hasText: '1 firing' }).waitFor({ timeout: 30_000 })
  await page.getByRole('link', { name: 'Alerts', exact: true }).click()
  await expect
    .poll(async () => Object.keys(await levels(page)).sort())
    .toEqual(['details', 'productpage', 'ratings', 'reviews'])
  await page.locator('.status summary', { hasText: '2 firing, 1 pending' }).click()
  await page.locator('.status .alert-list', { hasText: 'Backup' }).waitFor()
  await page.getByRole('link', { name: 'Dependencies' }).click()
  await page.locator('.dependencies tbody tr').first().waitFor()
  await page.close()
})

test('a row of the table says which end has an alert, and whether it is firing or pending', async () => {
  source.alerts = [firing, pending, elsewhere]
  const { page, complaints } = await open(browser, `${collector.page}?view=table&clients=workload&servers=workload`)
  const row = (client: string, server: string) =>
    page.locator('.dependencies tbody tr', {
      has: page.getByRole('button', { name: new RegExp(`\\b${client}\\b.* to ${server} `) }),
    })
  const note = (text: string) => page.locator('.level', { hasText: text })
  const toFiring = row('productpage', 'reviews').locator('td.text')
  await toFiring.locator('.level.bad', { hasText: '◉ alert firing' }).waitFor({ timeout: 30_000 })
  const toPending = row('productpage', 'details')
  await toPending.locator('td.text .level.warn', { hasText: '◎ alert pending' }).waitFor()
  expect(await toPending.locator(note('firing')).count(), 'a pending alert does not look like a firing one').toBe(0)
  const fromFiring = row('reviews', 'ratings')
  expect(await fromFiring.locator('th').locator(note('◉ alert firing')).count(), 'at the client').toBe(1)
  expect(await fromFiring.locator('td').locator(note('alert')).count(), 'not at the server').toBe(0)
  expect(complaints).toEqual([])
  await page.close()
})

test('the page says that the source does not answer, or that there is none', async () => {
  source.alerts = null
  const { page } = await open(browser, `${collector.page}?by=workload&colour=alerts`)
  const condition = page.locator('.condition.partial', { hasText: 'The source of alerts does not answer' })
  await condition.waitFor({ timeout: 30_000 })
  expect(await condition.textContent()).toContain('/api/v1/alerts answers 503')
  expect(await page.locator('.status', { hasText: '▲ the source does not answer' }).count()).toBe(1)
  await expect.poll(async () => (await levels(page)).ratings).toBe('level-none')
  source.alerts = []
  await expect.poll(() => condition.count(), { timeout: 30_000 }).toBe(0)
  await page.close()

  const none = await open(browser, without.page)
  await none.page.getByRole('link', { name: 'Alerts', exact: true }).click()
  await none.page.locator('.advice', { hasText: 'No source of alerts is configured' }).waitFor()
  await none.page.close()
})

test('the colours follow the configured thresholds', async () => {
  const { page } = await open(browser, `${collector.page}?by=workload`)
  const usual = await open(browser, `${without.page}?by=workload`)
  await expect.poll(async () => Object.values(await levels(usual.page))).toContain('level-bad')
  await expect.poll(async () => Object.values(await levels(page))).not.toContain('level-bad')
  expect(plain((await page.locator('.legend').textContent())!)).toContain('95 % failed')
  await Promise.all([page.close(), usual.page.close()])
})
