import { statSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, nodeNames, open } from '../e2e/browser.ts'
import { keyOf } from '../src/map/key.ts'

/** What internal/e2e has started: the page with the shop, and the folder for the pictures. */
const sent = JSON.parse(process.env.NETCONN_STORY!) as { page: string; folder: string }

/** Pictures of the README load in a moment. */
const MOST = 250_000

let browser: Browser
beforeAll(async () => {
  browser = await launch()
})
afterAll(() => browser?.close())

const key = (name: string) => keyOf({ kind: 'internal', tag: 'workload', name, group: '' })

async function picture(page: Page, name: string) {
  await page.locator('.map-canvas canvas').first().waitFor()
  await page.mouse.move(0, 0)
  await page.waitForTimeout(1500) // the charts and the map are drawn
  const path = `${sent.folder}/${name}.png`
  await page.screenshot({ path })
  expect(statSync(path).size, name).toBeLessThanOrEqual(MOST)
}

test('the panel of an edge with slow and failed calls', async () => {
  const edge = encodeURIComponent(`edge,${key('frontend')},${key('reviews')}`)
  const { page, complaints } = await open(browser, `${sent.page}/?by=workload&window=120&selected=${edge}`, {
    viewport: { width: 1440, height: 1500 },
    colorScheme: 'light',
  })
  const server = page.getByLabel('Signals of the server')
  await server.getByRole('list', { name: 'Slowest calls' }).waitFor()
  await server.getByRole('list', { name: /Error logs/ }).waitFor()
  await page.locator('.plot[aria-label^="CPU"] canvas').waitFor()
  await picture(page, 'netmap-panel')
  expect(complaints).toEqual([])
  await page.close()
})

test('a canary with an alert', async () => {
  const { page, complaints } = await open(browser, sent.page, {
    viewport: { width: 1440, height: 900 },
    colorScheme: 'light',
  })
  await page.getByRole('link', { name: 'Canary' }).click()
  const names = await nodeNames(page)
  expect(names).toEqual(expect.arrayContaining(['1.20.3', '1.21.0']))
  const canary = page.locator('.nodes [role=option]', { hasText: '1.21.0' })
  await canary.getByText('1 firing').waitFor()
  await canary.click()
  await page.locator('.alert-list').getByText('ConnectionsReset').waitFor()
  await picture(page, 'netmap-canary')
  expect(complaints).toEqual([])
  await page.close()
})
