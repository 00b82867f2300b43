import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exported, launch, nodeNames, open } from './browser.ts'
import { Collector } from './collector.ts'
import { link, peer, self, type Container } from './mesh.ts'

/** Two names in a right-to-left script, and a name with a right-to-left override. */
const CLIENT = 'לקוח'
const SERVER = 'שרת'
const OVERRIDE = 'photo\u202egnp.exe'
const SHOWN = 'photo\ufffdgnp.exe'
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]/

const named = (workload: string): Container => ({
  service: workload,
  workload,
  container: workload,
  tag: '1',
  pod: workload,
  host: 'n1',
})

let browser: Browser
let collector: Collector

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start()])
  const edge = (client: string, server: string) => ({
    local: self(named(client)),
    peer: { ...peer(named(server)), ...link('client', 'node') },
    tx: 5000,
    rx: 90_000,
    attempts: 3,
    active: 1,
    rtt: 0.001,
  })
  await collector.send([edge(CLIENT, SERVER), edge(OVERRIDE, SERVER)])
})

afterAll(async () => {
  await browser?.close()
  await collector?.stop()
})

/** Where each text is drawn within the first element that matches the selector: left and right, in pixels. */
function drawn(page: Page, selector: string, texts: string[]): Promise<[number, number][]> {
  return page
    .locator(selector)
    .first()
    .evaluate((root, all) => {
      const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
      const found = new Map<string, [number, number]>()
      for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
        for (const text of all) {
          const at = node.textContent!.indexOf(text)
          if (at < 0 || found.has(text)) continue
          const range = document.createRange()
          range.setStart(node, at)
          range.setEnd(node, at + text.length)
          const box = range.getBoundingClientRect()
          found.set(text, [box.left, box.right])
        }
      }
      return all.map((text) => found.get(text)!)
    }, texts)
}

function inOrder(places: [number, number][]) {
  for (let i = 1; i < places.length; i++) {
    expect(places[i]![0], JSON.stringify(places)).toBeGreaterThanOrEqual(places[i - 1]![1] - 1)
  }
}

test('an edge reads from its client to its server, whatever script the names are in', async () => {
  const { page, complaints } = await open(browser, collector.page + '?by=workload')
  await page.locator('.nodes [role=option]', { hasText: CLIENT }).click()
  await page.locator('.neighbours button', { hasText: SERVER }).click()
  await page.locator('.panel h2', { hasText: `${CLIENT} → ${SERVER}` }).waitFor()
  inOrder(await drawn(page, '.panel h2', [CLIENT, '→', SERVER]))
  await page.locator('.ends summary').first().waitFor()
  inOrder(await drawn(page, '.ends summary', [CLIENT, '→', SERVER, '9080']))
  expect(complaints).toEqual([])
  await page.close()
})

test('a name that holds an override is shown with a replacement character', async () => {
  const { page } = await open(browser, collector.page + '?by=workload')
  expect((await nodeNames(page)).sort()).toEqual([SHOWN, CLIENT, SERVER].sort())
  await page.locator('.nodes [role=option]', { hasText: SHOWN }).click()
  await page.locator('.panel h2', { hasText: SHOWN }).waitFor()
  await page.locator('.ends summary').first().waitFor()
  expect(await hidden(page)).toEqual([])
  const { text } = await exported(page)
  expect(text).toContain(SHOWN)
  expect(text).not.toMatch(HIDDEN)

  await page.goto(collector.page + '?view=table&clients=workload&servers=workload,port')
  await page.locator('.dependencies tbody th', { hasText: SHOWN }).waitFor()
  inOrder(await drawn(page, '.dependencies tbody tr:has-text("gnp.exe")', [SHOWN, SERVER, ':9080']))
  expect(await hidden(page)).toEqual([])
  await page.locator('#filter').fill('workload=pho')
  await page.locator('.proposals li', { hasText: SHOWN }).click()
  expect(await page.locator('#filter').inputValue(), 'the filter holds the name itself').toContain(OVERRIDE)
  await page.locator('#filter').press('Enter')
  await expect.poll(() => page.locator('.dependencies tbody tr').count()).toBe(1)
  await page.close()
})

test('a container that is shown by its id has its name before it, on the map, in the panel and in the table', async () => {
  const { page, complaints } = await open(browser, collector.page + '?by=container.id')
  const shown = `${CLIENT} ${String(self(named(CLIENT))['container.id']).slice(0, 8)}`
  expect(await nodeNames(page)).toContain(shown)
  await page.locator('.nodes [role=option]', { hasText: CLIENT }).click()
  await page.locator('.panel h2', { hasText: shown }).waitFor()
  await page.getByRole('button', { name: 'Focus', exact: true }).click()
  await page.locator('.chip', { hasText: shown }).waitFor()
  await page.goto(collector.page + '?view=table&clients=container.id&servers=workload')
  await page.locator('.dependencies tbody tr', { hasText: shown }).click()
  await page.locator('.panel h2', { hasText: `${shown} → ${SERVER}` }).waitFor()
  expect(complaints).toEqual([])
  await page.close()
})

/** Texts and labels of the page that hold characters which are not visible. */
function hidden(page: Page): Promise<string[]> {
  return page.evaluate((pattern) => {
    const bad = new RegExp(pattern)
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
    const found: string[] = []
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
      const texts =
        node instanceof Element
          ? ['title', 'aria-label', 'placeholder'].map((name) => node.getAttribute(name) ?? '')
          : [node.textContent!]
      found.push(...texts.filter((text) => bad.test(text)))
    }
    return found
  }, HIDDEN.source)
}
