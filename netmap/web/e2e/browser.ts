import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

/** Starts the system's browser. It makes no requests of its own. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A page, and what must stay empty while it is open: its errors, its warnings, and what its policy blocked. */
export interface Watched {
  page: Page
  complaints: string[]
}

export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (err) => complaints.push(`error: ${err.message}`))
  page.on('dialog', (d) => {
    complaints.push(`dialog: ${d.message()}`)
    void d.dismiss()
  })
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') complaints.push(`${m.type()}: ${m.text()}`)
  })
  await page.goto(url)
  return { page, complaints }
}

/** A figure of the totals: "Volume" is "104 MB". */
export async function figure(page: Page, name: string): Promise<string> {
  const dd = page
    .locator('.figures .figure', { has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) })
    .locator('dd')
  return plain(await dd.evaluate((el) => el.firstChild?.textContent ?? ''))
}

/** The names in the list of nodes, without glyphs and notes. */
export async function nodeNames(page: Page): Promise<string[]> {
  await page.locator('.nodes [role=option]').first().waitFor()
  return page
    .locator('.nodes [role=option] .name')
    .evaluateAll((all) => all.map((el) => el.getAttribute('title') ?? ''))
}

export interface Picture {
  /** By the name of a node: where it is, and the group it is in. */
  nodes: Map<string, { x: number; y: number }>
  text: string
}

/** The map as the SVG export writes it. */
export async function exported(page: Page): Promise<Picture> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'SVG' }).click(),
  ])
  const stream = await download.createReadStream()
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const nodes = await page.evaluate((source) => {
    const doc = new DOMParser().parseFromString(source, 'image/svg+xml')
    return [...doc.querySelectorAll('g[data-key]')].map((g) => {
      const label = g.querySelector('text')!
      return [g.getAttribute('data-key')!, { x: +label.getAttribute('x')!, y: +label.getAttribute('y')! }] as [
        string,
        { x: number; y: number },
      ]
    })
  }, text)
  return { nodes: new Map(nodes), text }
}

export const plain = (s: string) => s.replaceAll('\u00a0', ' ').trim()
