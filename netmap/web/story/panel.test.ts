import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findings } from '../e2e/accessibility.ts'
import { launch, nodeNames, open, plain } from '../e2e/browser.ts'

/** What was sent, as internal/e2e describes it. */
const sent = JSON.parse(process.env.NETCONN_STORY!) as {
  page: string
  links: string
  server: string
  calls: number
  slow: string
  failed: string
  hostile: string
}

let browser: Browser
beforeAll(async () => {
  browser = await launch()
})
afterAll(() => browser?.close())

const server = (page: Page) => page.getByLabel('Signals of the server')

test('the slow call is found in two clicks, and the totals are those that were sent', async () => {
  const { page, complaints } = await open(browser, sent.page + '/?view=table')
  await page.locator('.dependencies tbody tr', { hasText: sent.server }).click()
  const slow = server(page).getByRole('list', { name: 'Slowest calls' }).locator('.span').first()
  await slow.locator('summary').click()
  expect(await slow.getByRole('link').getAttribute('href')).toBe(sent.links + sent.slow)
  const text = plain((await slow.textContent())!)
  expect(text).toMatch(/Connection.*:\d+ → .*:9080, closed, open for (\d{3}\sms|\d)/)
  const title = plain((await server(page).locator('.calls h4').first().textContent())!)
  expect(title).toContain(`Calls served: ${sent.calls}, 1 failed`)
  expect(complaints).toEqual([])
  await page.close()
})

test('the failed call is found in two clicks, its log beside it, and neither runs', async () => {
  const { page, complaints } = await open(browser, sent.page)
  await nodeNames(page)
  await page.locator('.nodes [role=option]', { hasText: sent.server }).click()
  const failed = server(page).getByRole('list', { name: 'Failed calls' }).locator('.span')
  await failed.locator('summary').click()
  expect(await failed.getByRole('link').getAttribute('href')).toBe(sent.links + sent.failed)
  expect(await failed.locator('summary').textContent()).toContain(`GET /${sent.hostile}`)
  const logs = server(page).getByRole('list', { name: `Error logs (last 1 of ${sent.calls} records)` })
  expect(await logs.textContent()).toContain(`no stock ${sent.hostile}`)
  expect(await logs.getByRole('link').getAttribute('href')).toBe(sent.links + sent.failed)
  const usage = plain((await server(page).locator('.usage tbody tr').textContent())!)
  expect(usage).toMatch(/0\.45\sCPU of 0\.50\sCPU \(90\s%\).*64\sMB of 128\sMB \(50\s%\)/)
  expect(await page.title()).not.toBe('owned')
  expect(await page.locator('.panel img, .panel script').count()).toBe(0)
  expect(await findings(page)).toEqual([])
  expect(complaints).toEqual([])
  await page.close()
})
