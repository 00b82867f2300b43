import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { send, type Report } from './otlp.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A running distribution that has only the network map. It listens on free ports. */
export class Collector {
  private log = ''
  private constructor(
    readonly otlp: string,
    readonly map: string,
    private readonly env: Record<string, string>,
    private readonly settings: string[],
    private process: ChildProcess,
  ) {}

  /**
   * Starts a collector with additions to its environment, such as NETCONN_LEARNING (see testdata/netmap.yaml), and to its
   * configuration, in YAML.
   */
  static async start(env: Record<string, string> = {}, ...settings: string[]): Promise<Collector> {
    const [otlp, map] = await Promise.all([freePort(), freePort()])
    const all = { NETCONN_OTLP: `127.0.0.1:${otlp}`, NETCONN_MAP: `127.0.0.1:${map}`, NETCONN_LEARNING: '0s', ...env }
    const c = new Collector(all.NETCONN_OTLP, all.NETCONN_MAP, all, settings, run(all, settings))
    await c.ready()
    return c
  }

  get page(): string {
    return `http://${this.map}/`
  }

  private async ready() {
    this.process.stderr!.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    for (let i = 0; i < 300; i++) {
      if (this.process.exitCode !== null) throw new Error(`the collector ended:\n${this.log}`)
      const up = await fetch(`${this.page}api/v1/status`).then(
        (r) => r.ok,
        () => false,
      )
      if (up) return
      await new Promise((done) => setTimeout(done, 100))
    }
    throw new Error(`the collector does not answer:\n${this.log}`)
  }

  /** Sends one collection. `at` is its time in milliseconds. */
  send(reports: Report[], at = Date.now()): Promise<void> {
    return send(this.otlp, reports, at)
  }

  async api<T>(path: string): Promise<T> {
    const response = await fetch(`${this.page}api/v1/${path}`)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  /** Stops it; safe to call twice. */
  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const ended = new Promise((done) => this.process.once('exit', done))
    this.process.kill('SIGTERM')
    await ended
  }

  /** Starts it again, on the same ports. */
  async again(): Promise<void> {
    this.process = run(this.env, this.settings)
    await this.ready()
  }
}

function run(env: Record<string, string>, settings: string[]): ChildProcess {
  const binary = process.env.NETCONN_COLLECTOR ?? root + '_build/otelcol-netconn'
  const configs = [root + 'testdata/netmap.yaml', ...settings.map((s) => 'yaml:' + s)]
  return spawn(
    binary,
    configs.flatMap((c) => ['--config', c]),
    {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer()
    server.once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })
}
