import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { figure, launch, nodeNames, open } from './browser.ts'
import { Collector, freePort } from './collector.ts'

const BACKENDS = process.env.NETCONN_BACKENDS
const DAY = 86_400
const HOUR = 3600
/** The end of all windows that have a fixed end: the last whole hour. */
const END = Math.floor(Date.now() / 1000 / HOUR) * HOUR - HOUR

/** A real VictoriaMetrics that `make test-store` built. */
class Store {
  private constructor(
    readonly address: string,
    private readonly process: ChildProcess,
  ) {}

  static async start(...flags: string[]): Promise<Store> {
    const address = `127.0.0.1:${await freePort()}`
    const data = mkdtempSync(`${tmpdir()}/netconn-store-`)
    const all = [
      `-httpListenAddr=${address}`,
      `-storageDataPath=${data}`,
      '-retentionPeriod=1y',
      '-memory.allowedBytes=64MB',
    ]
    const store = new Store(address, spawn(`${BACKENDS}/victoria-metrics`, [...all, ...flags], { stdio: 'ignore' }))
    await until(() =>
      fetch(`${store.url}/health`).then(
        (r) => r.ok,
        () => false,
      ),
    )
    return store
  }

  get url() {
    return `http://${this.address}`
  }

  /**
   * Writes a counter of bytes that grows by `hourly` in each hour, with a point every ten minutes, and has all of them
   * shown: VictoriaMetrics would show a part earlier, and might keep what it answers then.
   */
  async edge(
    client: string,
    server: string,
    from: number,
    to: number,
    hourly: (at: number) => number,
    reporter = 'client',
  ) {
    const metric = {
      __name__: 'netconn_edge_io_bytes_total',
      client_type: 'pod',
      client_namespace: 'shop',
      client_name: client,
      server_type: 'pod',
      server_namespace: 'shop',
      server_name: server,
      server_port: '8080',
      netconn_reporter: reporter,
      netconn_scope: 'remote',
      network_io_direction: 'transmit',
      service_instance_id: 'gateway-' + reporter,
    }
    const [timestamps, values, open]: [number[], number[], number[]] = [[], [], []]
    for (let at = from, sum = 0; at <= to; at += 600) {
      timestamps.push(at * 1000)
      values.push(sum)
      open.push(1)
      sum += hourly(at) / 6
    }
    const { network_io_direction: _, ...edge } = metric
    const lines = [
      { metric, values, timestamps },
      { metric: { ...edge, __name__: 'netconn_edge_active' }, values: open, timestamps },
    ]
    const body = lines.map((line) => JSON.stringify(line)).join('\n')
    const answer = await fetch(`${this.url}/api/v1/import`, { method: 'POST', body })
    if (!answer.ok) throw new Error(await answer.text())
    const flushed = await fetch(`${this.url}/internal/force_flush`)
    if (!flushed.ok) throw new Error(await flushed.text())
  }

  stop() {
    this.process.kill('SIGKILL')
  }
}

async function until(holds: () => Promise<boolean>) {
  for (let i = 0; i < 600; i++) {
    if (await holds()) return
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('not within a minute')
}

const stateless = (store: string, more = '') =>
  Collector.start({}, `extensions::netmap::history: {endpoint: "${store}", cache: 1s${more}}`)

const condition = (page: Page, kind: string) => page.locator(`.condition.${kind}`)
const cells = (page: Page, client: string) =>
  page.locator('tbody tr', { hasText: client }).locator('td').allTextContents()

describe.skipIf(!BACKENDS)('a map of a store (NETCONN_BACKENDS names those that make test-store built)', () => {
  let browser: Browser
  let store: Store
  let map: Collector

  beforeAll(async () => {
    ;[browser, store] = await Promise.all([launch(), Store.start()])
    const begin = END - 9 * DAY
    // 6 MB an hour, and twice as much in the last day; both ends report. The job is known from its server only, the newcomer is of today.
    const web = (at: number) => (at >= END - DAY ? 12e6 : 6e6)
    await store.edge('web', 'api', begin, END + HOUR, web)
    await store.edge('web', 'api', begin, END + HOUR, web, 'server')
    await store.edge('job', 'db', begin, END + HOUR, () => 600_000, 'server')
    await store.edge('newcomer', 'db', END - 2 * HOUR, END + HOUR, () => 1_200_000)
    map = await stateless(store.url)
    await until(
      async () =>
        (await map.api<{ totals: { edges: number } }>(`graph?window=${6 * HOUR}&end=${END}`)).totals.edges === 3,
    )
  }, 180_000)

  afterAll(async () => {
    await browser?.close()
    await map?.stop()
    store?.stop()
  })

  test('has seven days, with each byte once', async () => {
    const { page, complaints } = await open(browser, `${map.page}?window=${7 * DAY}&end=${END}`)
    expect((await nodeNames(page)).sort()).toEqual(['api', 'db', 'job', 'newcomer', 'web'])
    // A window is whole steps of two hours, so it ends up to two hours later: 6 and 1 days of the web, the job, and the newcomer.
    const sent = await map.api<{ totals: { tx: number } }>(`graph?window=${7 * DAY}&end=${END}`)
    const most = 6 * 24 * 6e6 + 26 * 12e6 + 7 * 24 * 600_000 + 4 * 1_200_000
    expect(sent.totals.tx).toBeGreaterThan(most - 2 * (12e6 + 600_000 + 1_200_000) - 2 * 6e6)
    expect(sent.totals.tx).toBeLessThanOrEqual(most)
    expect(await figure(page, 'Volume')).toMatch(/^1\.\d+ GB$/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('compares a table with the day before', async () => {
    const { page, complaints } = await open(
      browser,
      `${map.page}?view=table&window=${HOUR}&end=${END}&clients=name&servers=name`,
    )
    await page.locator('tbody tr').first().waitFor()
    expect(await page.getByRole('columnheader', { name: 'Day before' }).count()).toBe(0)
    await page.getByLabel('Day before').check()
    await page.locator('tbody tr', { hasText: 'web' }).getByText('+100').waitFor()
    expect(page.url()).toContain('compare=1')
    const second = async (client: string) => (await cells(page, client))[2]!.replace(/\s/g, ' ')
    expect(await second('web')).toMatch(/^6(\.\d+)? MB\+100 %$/)
    expect(await second('job')).toMatch(/^600 kB=$|^610 kB=$/)
    expect(await second('newcomer')).toMatch(/✚ not there$/)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('marks edges that the day before the window did not have', async () => {
    const { page } = await open(browser, `${map.page}?view=table&window=${6 * HOUR}&end=${END}&only=new`)
    await page.locator('tbody tr').first().waitFor()
    expect(await page.locator('tbody tr').allTextContents()).toEqual([expect.stringContaining('newcomer')])
    await map.stop()
    await map.again()
    await page.reload()
    await page.locator('tbody tr', { hasText: 'newcomer' }).waitFor()
    expect(await page.locator('tbody tr').count(), 'after a restart of the map').toBe(1)
    await page.close()
  })

  test('says that the store is empty', async () => {
    const nothing = await Store.start()
    const empty = await stateless(nothing.url)
    const { page } = await open(browser, `${empty.page}?window=${7 * DAY}`)
    await page.locator('.empty', { hasText: 'The store has no edge metrics of netconn' }).waitFor()
    await page.close()
    await empty.stop()
    nothing.stop()
  })

  test('says that the store is slow', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1') // takes each query and answers none
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const slow = await stateless(`http://127.0.0.1:${port}`, ', timeout: 100ms')
    const { page } = await open(browser, `${slow.page}?window=${7 * DAY}&end=${END}`)
    await condition(page, 'error').filter({ hasText: 'store of longer windows is too slow' }).waitFor()
    await page.close()
    await slow.stop()
    silent.closeAllConnections()
    silent.close()
  })

  test('says that the store is away', async () => {
    const other = await Store.start()
    await other.edge('web', 'api', END - DAY, END, () => 1e6)
    const away = await stateless(other.url)
    await until(
      async () =>
        (await away.api<{ totals: { edges: number } }>(`graph?window=${6 * HOUR}&end=${END}`)).totals.edges === 1,
    )
    const { page } = await open(browser, `${away.page}?window=${6 * HOUR}&end=${END}`)
    expect(await nodeNames(page)).toContain('web')
    other.stop()
    await page.goto(`${away.page}?window=${DAY}&end=${END}`)
    await condition(page, 'error').filter({ hasText: 'store of longer windows does not answer' }).waitFor()
    await page.close()
    await away.stop()
  })
})
