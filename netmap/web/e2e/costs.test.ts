import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { mesh } from './mesh.ts'

let browser: Browser
let collector: Collector
let without: Collector

beforeAll(async () => {
  ;[browser, collector, without] = await Promise.all([
    launch(),
    Collector.start({}, 'extensions::netmap::costs: {currency: EUR, pairs: [{between: [eu-1b, eu-1a], price: 1000}]}'),
    Collector.start(),
  ])
  await Promise.all([collector.send(mesh), without.send(mesh)])
})

afterAll(async () => {
  await browser?.close()
  await Promise.all([collector?.stop(), without?.stop()])
})

interface Priced {
  client: string[][]
  server: string[][]
  tx: number[]
  rx: number[]
  cost: (number | null)[]
  total_cost: number
  seconds: number
}

test('the preset lists what crosses zones by its cost, and the sums are those of the bytes', async () => {
  const { page, complaints } = await open(browser, collector.page)
  await page.locator('.presets a', { hasText: 'Costs' }).click()
  const rows = page.locator('.dependencies tbody tr')
  await rows.first().waitFor()
  const head = page.locator('.dependencies thead th', { hasText: 'Cost a day ▾' })
  const inSight = await head.evaluate((th) => {
    const table = th.closest('.scroll')!.getBoundingClientRect()
    return th.getBoundingClientRect().right <= table.right
  })
  expect(inSight, 'the costs are in sight').toBe(true)
  const shown = (await rows.locator('td.cost').allTextContents()).map(plain)

  const answer = await fetch(`${collector.page}api/v1/flows?clients=zone,name&servers=zone,name&sort=-cost&spark=none`)
  const flows = (await answer.json()) as Priced
  let total = 0
  flows.client.forEach(([zone], i) => {
    const crosses = zone !== flows.server[i]![0]
    const want = crosses ? ((flows.tx[i]! + flows.rx[i]!) / 1e9) * 1000 : 0
    if (zone && flows.server[i]![0]) expect(flows.cost[i]! / (want || 1)).toBeCloseTo(crosses ? 1 : 0, 1)
    else expect(flows.cost[i]).toBeNull()
    total += flows.cost[i] ?? 0
  })
  expect(total).toBeGreaterThan(0)
  expect(flows.total_cost / total).toBeCloseTo(1, 1)
  expect(shown[0]).toMatch(/^[\d.,kM]+ EUR$/)
  expect(
    shown.some((s) => s === '0 EUR'),
    'within a zone',
  ).toBe(true)
  expect(shown).toHaveLength(flows.client.length)
  expect(complaints).toEqual([])
  await page.close()
})

test('without prices there is no column, and the preset says what to configure', async () => {
  const { page, complaints } = await open(browser, `${without.page}?view=table`)
  await page.locator('.dependencies tbody tr').first().waitFor()
  expect(await page.locator('.dependencies thead').textContent()).not.toContain('Cost')
  await page.locator('.presets a', { hasText: 'Costs' }).click()
  await page.locator('.advice', { hasText: 'set costs of the extension netmap' }).waitFor()
  expect(complaints).toEqual([])
  await page.close()
})
