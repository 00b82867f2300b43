import { address, ask, type Params } from '../api/client.ts'
import type { Flows } from '../api/types.ts'

/** Asks for all rows, a thousand at a time. All answers are for the window of the first. */
export async function everything(params: Params): Promise<Flows> {
  let all: Flows | null = null
  let offset = 0
  for (;;) {
    const reply = await ask<Flows>(
      address('flows', { ...params, ...(all && { end: all.to }), spark: 'none', limit: 1000, offset }),
      null,
    )
    const page: Flows = reply!.data
    const got = page.client.length
    all = all ? append(all, page, offset) : page
    offset += got
    if (!got || offset >= page.rows) return all
  }
}

/** The rows of a further answer behind those before; `offset` is how many there were. */
export function append(all: Flows, page: Flows, offset: number): Flows {
  const joined = { ...all } as Flows & Record<string, unknown>
  for (const [name, value] of Object.entries(page)) {
    const before = (all as unknown as Record<string, unknown>)[name]
    if (Array.isArray(value) && Array.isArray(before) && !['clients', 'servers', 'kinds'].includes(name))
      joined[name] = [...before, ...value]
  }
  for (const name of ['failures_by', 'breaks_by', 'lookups_by'] as const) {
    const by = { ...all[name] }
    for (const [type, pairs] of Object.entries(page[name]))
      by[type] = [...(by[type] ?? []), ...pairs.map(([i, n]): [number, number] => [i + offset, n])]
    joined[name] = by
  }
  return joined
}
