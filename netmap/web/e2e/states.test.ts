import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Status } from '../src/api/types.ts'
import { figure, launch, nodeNames, open } from './browser.ts'
import { Collector } from './collector.ts'
import { link, mesh, peer, self, type Container } from './mesh.ts'
import type { Report } from './otlp.ts'

let browser: Browser
/** Collectors that are fed all the time, never, and only once at the start. */
let fed: Collector
let empty: Collector
let silent: Collector

beforeAll(async () => {
  ;[browser, fed, empty, silent] = await Promise.all([
    launch(),
    Collector.start(),
    Collector.start(),
    Collector.start(),
  ])
  await silent.send(mesh)
  await fed.send(mesh)
})

afterAll(async () => {
  await browser?.close()
  await Promise.all([fed, empty, silent].map((c) => c?.stop()))
})

const condition = (page: Page, kind: string) => page.locator(`.condition.${kind}`)

describe('the page says how it is', () => {
  test('loading', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    let release = () => {}
    const held = new Promise<void>((done) => (release = done))
    await page.route('**/api/v1/**', async (route) => {
      await held
      await route.continue()
    })
    await page.goto(fed.page)
    await page.locator('main [role=status]', { hasText: 'Loading' }).waitFor()
    release()
    await nodeNames(page)
    expect(await page.locator('main', { hasText: 'Loading' }).count()).toBe(0)
    await context.close()
  })

  test.each(['map', 'table'])('empty, with its cause (%s)', async (view) => {
    const { page, complaints } = await open(browser, `${empty.page}?view=${view}`)
    await page.locator('.empty h2', { hasText: 'Nothing has been reported yet' }).waitFor()
    expect(await page.locator('.empty p').textContent()).toContain('its pipeline needs the exporter netmap')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('the licences of what it is made of', async () => {
    const { page } = await open(browser, fed.page)
    await page.getByRole('link', { name: 'Licences' }).click()
    await page.getByText(/^cytoscape \d.* \(MIT\)$/m).waitFor()
    await page.close()
  })

  test('nothing matches, and the way back', async () => {
    const { page } = await open(browser, fed.page + '?filter=namespace%3Dnowhere')
    await page.locator('.empty', { hasText: 'No edge of the last 5 minutes passes the filter' }).waitFor()
    await page.getByRole('button', { name: 'Show everything' }).click()
    await nodeNames(page)
    expect(page.url()).toBe(fed.page)
    await page.close()
  })

  test('a filter that is none', async () => {
    const { page } = await open(browser, fed.page)
    await nodeNames(page)
    await page.locator('#filter').fill('port=80 clinet.pod=x')
    await page.locator('#filter').press('Enter')
    const error = page.locator('#filter-error')
    await error.waitFor()
    expect(await error.textContent()).toMatch(/unknown tag "clinet.pod".*at: clinet.pod=x/)
    expect(await page.locator('#filter').getAttribute('aria-invalid')).toBe('true')
    expect((await nodeNames(page)).length, 'what was there stays').toBeGreaterThan(3)
    await page.close()
  })

  test('a view that there is none of, and the way back', async () => {
    const { page } = await open(browser, fed.page + '?by=colour')
    await page.locator('.empty h2', { hasText: 'There is no such view' }).waitFor()
    await page.getByRole('button', { name: 'Start over' }).click()
    await nodeNames(page)
    expect(page.url()).toBe(fed.page)
    await page.close()
  })

  test('partial, as long as less was seen than was asked for', async () => {
    const { page } = await open(browser, fed.page + '?window=3600')
    await condition(page, 'partial').first().waitFor()
    expect(await condition(page, 'partial').first().textContent()).toMatch(
      /has seen .* so far: figures are over these, not over 1 hour/,
    )
    await page.close()
  })

  test('truncated, with the share of bytes that is shown', async () => {
    const crowded = await Collector.start()
    const client = (i: number): Container => ({
      service: `client-${i}`,
      workload: `client-${i}`,
      container: 'app',
      tag: '1',
      host: 'n1',
      pod: `client-${i}`,
    })
    const server: Container = { service: 'hub', workload: 'hub', container: 'hub', tag: '1', host: 'n2', pod: 'hub' }
    await crowded.send(
      Array.from({ length: 400 }, (_, i): Report => ({
        local: self(client(i)),
        peer: { ...peer(server), ...link('client', 'remote') },
        tx: i < 100 ? 10_000 : 1000,
        rx: 0,
        attempts: 1,
      })),
    )
    const { page } = await open(browser, crowded.page)
    await condition(page, 'truncated').waitFor()
    expect(await condition(page, 'truncated').textContent()).toMatch(/folded into “other”: 25\d nodes/)
    const names = await nodeNames(page)
    expect(names.length).toBeLessThanOrEqual(150)
    expect(names).toContain('other')
    expect(await figure(page, 'Volume'), 'totals are whole').toBe('1.3 MB')
    // 100 of 10 kB and 47 or 48 of 1 kB are drawn by name; the rest is folded.
    expect(await figure(page, 'Bytes shown')).toMatch(/^80\.[56] %$/)
    await page.locator('.nodes [role=option]', { hasText: 'other' }).click()
    await page.locator('.panel', { hasText: 'Many are folded into this one' }).waitFor()
    await page.close()
    await crowded.stop()
  })

  test.each([
    ['16', /The store is full: what is beyond 16 edges is counted as “other”/],
    ['5', /The store is full: \d+ points that had no room went uncounted/],
  ])('truncated, where the store has room for %s', async (most, says) => {
    const small = await Collector.start({ NETCONN_MAX_EDGES: most })
    await small.send(mesh)
    const { page } = await open(browser, small.page)
    await condition(page, 'truncated').filter({ hasText: says }).waitFor()
    await page.close()
    await small.stop()
  })

  test('paused: figures stand still, also for whoever is given the address', async () => {
    const { page } = await open(browser, fed.page + '?by=workload')
    await nodeNames(page)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('.fresh', { hasText: 'Paused at' }).waitFor()
    const requests: string[] = []
    page.on('request', (r) => requests.push(r.url()))
    await fed.send(mesh)
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await expect.poll(() => requests.some((u) => u.includes('/status'))).toBe(true)
    expect(requests.filter((u) => u.includes('/graph'))).toEqual([])
    const end = new URL(page.url()).searchParams.get('end')
    const other = await open(browser, page.url())
    await other.page.locator('.fresh', { hasText: 'Paused at' }).waitFor()
    await nodeNames(other.page)
    expect(new URL(other.page.url()).searchParams.get('end')).toBe(end)
    await page.getByRole('button', { name: 'Go live' }).click()
    await expect.poll(() => requests.some((u) => u.includes('/graph'))).toBe(true)
    await other.page.close()
    await page.close()
  })

  test('an error, while what was shown stays, and the way out of it', async () => {
    const dying = await Collector.start()
    await dying.send(mesh)
    const { page } = await open(browser, dying.page + '?by=workload')
    await nodeNames(page)
    const volume = await figure(page, 'Volume')
    await dying.stop()
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await condition(page, 'error').first().waitFor()
    expect(await condition(page, 'error').first().textContent()).toMatch(
      /The collector does not answer: the collector cannot be reached/,
    )
    expect(await figure(page, 'Volume')).toBe(volume)
    await dying.again()
    await page.locator('.empty', { hasText: 'Nothing has been reported yet' }).waitFor()
    await condition(page, 'error').waitFor({ state: 'detached' }) // after the next poll of the status
    await page.close()
    await dying.stop()
  })

  // Last, because a host is stale only after half a minute.
  test('partial and stale, as hosts fall silent', async () => {
    const silence = async () => (await silent.api<Status>('status')).state
    await expect.poll(silence, { timeout: 60_000, interval: 500 }).toBe('stale')
    const { page } = await open(browser, silent.page)
    await condition(page, 'stale').waitFor()
    expect(await condition(page, 'stale').textContent()).toMatch(/No host has reported for/)
    expect(await page.locator('.status summary').first().textContent()).toContain('▲ 2 stale')
    await silent.send(mesh.filter((r) => r.local['host.name'] === 'n1'))
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await condition(page, 'partial').filter({ hasText: 'silent' }).waitFor()
    expect(await condition(page, 'partial').filter({ hasText: 'silent' }).textContent()).toContain(
      '1 host of 2 is silent: n2',
    )
    await page.close()
  })
})
