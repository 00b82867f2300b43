import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KINDS, type Graph, type Status } from '../src/api/types.ts'
import { bytes, count } from '../src/format.ts'
import { exported, figure, launch, nodeNames, open, plain } from './browser.ts'
import { Collector } from './collector.ts'
import { EVIL, expected, intruder, mesh } from './mesh.ts'
import { choose, presets } from '../src/presets.ts'
import { defaults, serialise } from '../src/state/state.ts'

const outOfMesh = serialise({
  ...defaults,
  ...choose(
    presets.find((p) => p.id === 'out-of-mesh')!,
    [],
  ),
})

let browser: Browser
let collector: Collector

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([launch(), Collector.start({ NETCONN_LEARNING: '1s' })])
  await collector.send(mesh)
})

afterAll(async () => {
  await browser?.close()
  await collector?.stop()
})

describe('the map', () => {
  test('shows what was sent, each edge once', async () => {
    const { page, complaints } = await open(browser, collector.page + '?by=workload')
    const sent = expected(mesh)
    expect(await nodeNames(page)).toEqual([
      'gateway',
      'productpage',
      'public addresses',
      'reviews',
      'details',
      'ratings',
      'private addresses',
    ])
    expect(await figure(page, 'Volume')).toBe(plain(bytes(sent.tx + sent.rx)))
    expect(await figure(page, 'Attempts')).toBe(count(sent.attempts))
    expect(await figure(page, 'Failures')).toBe(count(sent.failures))
    expect(await figure(page, 'Bytes shown')).toBe('100 %')
    const graph = await collector.api<Graph>('graph?by=workload')
    expect([graph.totals.tx, graph.totals.rx]).toEqual([sent.tx, sent.rx])
    expect(graph.kinds).toEqual(KINDS)
    const status = await collector.api<Status>('status')
    expect(
      Object.values(status.dropped).reduce((a, b) => a + b),
      'nothing that was sent is dropped',
    ).toBe(0)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('has nothing out of the mesh as long as sidecars open all', async () => {
    const { page } = await open(browser, collector.page + outOfMesh)
    await page.getByText('Nothing matches').waitFor()
    await page.close()
  })

  test('has no sidecars between workloads, and no edge from a workload to itself', async () => {
    const graph = await collector.api<Graph>('graph?by=workload')
    const edges = graph.edges.client
      .map((c, i) => `${graph.nodes.name[c]} ${graph.nodes.name[graph.edges.server[i]!]}`)
      .sort()
    expect(edges).toEqual([
      'gateway productpage',
      'productpage details',
      'productpage private',
      'productpage reviews',
      'public gateway',
      'reviews ratings',
    ])
    const { page } = await open(browser, collector.page + '?by=workload')
    await page.locator('.nodes [role=option]', { hasText: 'reviews' }).click()
    const neighbours = page.locator('.neighbours button span')
    await expect.poll(() => neighbours.allTextContents()).toEqual(['← productpage', '→ ratings'])
    // Its details do not count the hops to its own sidecar either.
    await page.locator('.summary').nth(1).waitFor()
    const volumes = await page
      .locator('.summary')
      .evaluateAll((all) => all.map((dl) => dl.querySelector('dd')!.textContent))
    expect(volumes.map((s) => plain(s!))).toEqual(['300 kB out, 1.1 MB back', '800 kB out, 9.1 MB back'])
    await page.close()
  })

  test('tells an application from its sidecar at container level, and what it asked for', async () => {
    const { page, complaints } = await open(browser, collector.page + '?by=container&group=workload')
    await page.locator('.nodes [role=option]', { hasText: /productpage productpage/ }).click()
    await expect
      .poll(() => page.locator('.neighbours button span').allTextContents())
      .toEqual(['← istio-proxy in productpage', '→ istio-proxy in productpage'])
    await page.locator('.neighbours button', { hasText: '→ istio-proxy' }).click()
    await page.locator('.translation').first().waitFor()
    const asked = (await page.locator('.translation').allTextContents()).map((s) => s.replace(/,.*/, '')).sort()
    expect(asked).toEqual(['Asked for details:9080', 'Asked for reviews:9080'])
    const { text } = await exported(page)
    expect(text).toContain('>istio-proxy<')
    expect(text).toContain('>productpage<')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('by image tag shows how a canary shares the traffic', async () => {
    const { page } = await open(browser, collector.page)
    await page.getByRole('link', { name: 'Canary' }).click()
    const node = (tag: string) =>
      page.locator('.nodes [role=option]', { hasText: new RegExp(`${tag} reviews`) }).locator('.value')
    expect([await node('v1').textContent(), await node('v2').textContent()].map((s) => plain(s!))).toEqual([
      '8.8 MB',
      '1.1 MB',
    ])
    await page.getByRole('link', { name: 'Dependencies' }).click()
    const row = (tag: string) =>
      page
        .locator('.dependencies tbody tr', { hasText: new RegExp(`^reviews to reviews ${tag}: details`) })
        .locator('td')
        .nth(1)
    expect([await row('v1').textContent(), await row('v2').textContent()].map((s) => plain(s!))).toEqual([
      '8.8 MB',
      '1.1 MB',
    ])
    await page.close()
  })

  test('is all in view after another way of grouping, however late its positions are', async () => {
    const { page, complaints } = await open(browser, 'about:blank')
    await page.addInitScript(() => {
      const send = Worker.prototype.postMessage
      Worker.prototype.postMessage = function (...message: unknown[]) {
        setTimeout(() => Reflect.apply(send, this, message), 1000)
      }
    })
    await page.goto(collector.page)
    await nodeNames(page)
    await page.getByRole('link', { name: 'Canary' }).click()
    await expect
      .poll(() => inView(page), { timeout: 15_000 })
      .toEqual({ groups: 4, left: true, right: true, top: true, bottom: true })
    expect(complaints).toEqual([])
    await page.close()
  })

  test('does not move over ten refreshes, in which figures change', async () => {
    const { page, complaints } = await open(browser, collector.page + '?by=workload')
    await nodeNames(page)
    const before = await exported(page)
    expect(before.nodes.size).toBe(7)
    for (let i = 0; i < 10; i++) {
      const volume = await figure(page, 'Volume')
      await collector.send(mesh)
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
      await expect.poll(() => figure(page, 'Volume'), { timeout: 15_000 }).not.toBe(volume)
      expect((await exported(page)).nodes).toEqual(before.nodes)
    }
    expect(complaints).toEqual([])
    await page.close()
  })

  test('marks a new edge, and a name that wants to be a program is a name', async () => {
    const { page, complaints } = await open(browser, collector.page + '?by=workload')
    await nodeNames(page)
    const before = await exported(page)
    expect(before.text).not.toContain('new')
    await collector.send(intruder)
    const option = page.locator('.nodes [role=option]', { hasText: '<script>' })
    await option.waitFor()
    expect(await option.textContent()).toContain('✚ new')
    const after = await exported(page)
    expect(after.text).toContain('✚ new')
    for (const [key, at] of before.nodes) expect(after.nodes.get(key), key).toEqual(at)

    await option.click()
    await page.locator('.panel h2', { hasText: EVIL }).waitFor()
    await page.locator('.ends summary', { hasText: EVIL }).waitFor()
    await page.goto(collector.page + '?view=table')
    await page.locator('tbody th', { hasText: EVIL }).waitFor()
    await page.locator('#filter').fill('namespace=<')
    await page.locator('.proposals li', { hasText: EVIL }).waitFor()
    expect(
      await page.locator('main script, main img, .panel script, .panel img, .rail script, .rail img').count(),
    ).toBe(0)
    expect(await page.title()).toBe('netconn: dependencies')
    expect(complaints).toEqual([])

    await page.goto(collector.page + '?preset=new&only=new&by=workload')
    expect(await nodeNames(page)).toEqual([EVIL, 'ratings'])

    await page.goto(collector.page + outOfMesh)
    expect(await nodeNames(page), 'out of the mesh').toEqual([EVIL, 'ratings'])
    await page.close()
  })

  test('is saved as a picture', async () => {
    const { page } = await open(browser, collector.page + '?by=workload')
    await nodeNames(page)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'PNG' }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/^netconn-map-.*\.png$/)
    const stream = await download.createReadStream()
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    const png = Buffer.concat(chunks)
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect(png.readUInt32BE(16)).toBeGreaterThan(600)
    await page.close()
  })
})

interface Box {
  x1: number
  x2: number
  y1: number
  y2: number
}

/** Which sides of the drawing are in view, and how many groups it has. */
function inView(page: Page) {
  return page.locator('.map-canvas').evaluate((el) => {
    const { cy } = (el as unknown as { _cyreg: { cy: never } })._cyreg as {
      cy: {
        elements(): { renderedBoundingBox(): Box }
        nodes(selector: string): { length: number }
        width(): number
        height(): number
      }
    }
    const box = cy.elements().renderedBoundingBox()
    return {
      groups: cy.nodes(':parent').length,
      left: box.x1 >= 0,
      right: box.x2 <= cy.width(),
      top: box.y1 >= 0,
      bottom: box.y2 <= cy.height(),
    }
  })
}
