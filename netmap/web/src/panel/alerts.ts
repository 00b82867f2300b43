import type { Series } from '../api/types.ts'
import type { Listed } from './Alerts.tsx'

/**
 * The alerts about a selection, each once. A node is the client of the first series and the server of the second; its
 * peers' alerts are not its own. An edge or a row has one series, and its alerts name their sides.
 */
export function alertsOf(series: (Series | null)[], node: boolean): Listed[] {
  const all = series.flatMap((s, i) => {
    const alerts = s?.alerts ?? []
    return node ? alerts.filter((a) => (i ? a.server : a.client)) : alerts
  })
  const found = new Map<string, Listed>()
  for (const a of all) found.set(a.id, node ? a : { ...a, sides: sides(a) })
  return [...found.values()].sort((a, b) => +(b.state === 'firing') - +(a.state === 'firing'))
}

function sides({ client, server }: { client: boolean; server: boolean }): string {
  return client && server ? 'both ends' : client ? 'the client' : 'the server'
}
