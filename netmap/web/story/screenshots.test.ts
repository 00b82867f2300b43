import { statSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, nodeNames, open } from '../e2e/browser.ts'
import { keyOf } from '../src/map/key.ts'

/** What internal/e2e has started: the page with the shop, since when it has customers, and the folder for the pictures. */
const sent = JSON.parse(process.env.NETCONN_STORY!) as { page: string; folder: string; begun: number }

/** Pictures of the README load in a moment. */
const MOST = 300_000

/** A busy machine needs minutes for a page. */
const PATIENCE = 300_000

let browser: Browser
beforeAll(async () => {
  browser = await launch()
}, PATIENCE)
afterAll(() => browser?.close())

const key = (name: string) => keyOf({ kind: 'internal', tag: 'workload', name, group: '' })

async function start(query: string, height: number): Promise<{ page: Page; complaints: string[] }> {
  const window = Math.ceil((Date.now() / 1000 - sent.begun) / 10) * 10
  const watched = await open(browser, `${sent.page}/?window=${window}&${query}`, {
    viewport: { width: 1440, height },
    colorScheme: 'light',
  })
  watched.page.setDefaultTimeout(PATIENCE)
  return watched
}

async function picture(page: Page, name: string) {
  await page.locator('.map-canvas canvas').first().waitFor()
  await page.mouse.move(0, 0)
  await page.waitForTimeout(3000) // the charts and the map are drawn
  const path = `${sent.folder}/${name}.png`
  await page.screenshot({ path, timeout: PATIENCE })
  expect(statSync(path).size, name).toBeLessThanOrEqual(MOST)
}

test(
  'the panel of an edge with slow and failed calls',
  async () => {
    const edge = encodeURIComponent(`edge,${key('frontend')},${key('reviews')}`)
    const { page, complaints } = await start(`by=workload&selected=${edge}`, 1400)
    const server = page.getByLabel('Signals of the server')
    await server.getByRole('list', { name: 'Slowest calls' }).first().waitFor()
    await picture(page, 'netmap-panel')
    expect(complaints).toEqual([])
    await page.close()
  },
  PATIENCE,
)

test(
  'a canary with an alert',
  async () => {
    const { page, complaints } = await start('', 900)
    await page.getByRole('link', { name: 'Canary' }).click()
    await nodeNames(page)
    const canary = page.locator('.nodes [role=option]', { hasText: '2.0.0-rc1' })
    await canary.getByText('1 firing').waitFor()
    await canary.click()
    await page.locator('.alert-list').getByText('NetconnConnectionsReset').first().waitFor()
    await picture(page, 'netmap-canary')
    expect(complaints).toEqual([])
    await page.close()
  },
  PATIENCE,
)
