/** An edge of the graph to lay out, by ids. */
export interface Link {
  from: string
  to: string
}

/**
 * The column of each node, counted from the nodes without a client. Servers are right of their clients. A node without
 * a client is just left of its first server, so that its edges cross no column. Edges that close a cycle are ignored.
 * The choice of these edges depends on the ids only, not on the order of nodes and links.
 */
export function ranks(ids: string[], links: Link[], most = 7): Map<string, number> {
  const out = new Map<string, string[]>(ids.map((id) => [id, []]))
  const callers = new Map<string, number>(ids.map((id) => [id, 0]))
  for (const { from, to } of links) {
    if (from === to || !out.has(from) || !out.has(to)) continue
    out.get(from)!.push(to)
    callers.set(to, callers.get(to)! + 1)
  }
  for (const list of out.values()) list.sort()
  const roots = [...ids].sort(
    (a, b) => callers.get(a)! - callers.get(b)! || out.get(b)!.length - out.get(a)!.length || (a < b ? -1 : 1),
  )
  const order = finishing(roots, out)
  const place = new Map(order.map((id, i) => [id, i]))
  const rank = new Map<string, number>(ids.map((id) => [id, 0]))
  for (const id of order)
    for (const next of out.get(id)!)
      if (place.get(next)! > place.get(id)!)
        rank.set(next, Math.min(most, Math.max(rank.get(next)!, rank.get(id)! + 1)))
  for (const id of ids)
    if (!callers.get(id)) rank.set(id, Math.max(0, Math.min(...out.get(id)!.map((next) => rank.get(next)! - 1), most)))
  for (const id of ids) if (!callers.get(id) && !out.get(id)!.length) rank.set(id, 0)
  return rank
}

/** The nodes in topological order, except for edges that close a cycle: reversed post-order, without recursion. */
function finishing(roots: string[], out: Map<string, string[]>): string[] {
  const done: string[] = []
  const seen = new Set<string>()
  for (const root of roots) {
    if (seen.has(root)) continue
    seen.add(root)
    const stack: [string, number][] = [[root, 0]]
    while (stack.length) {
      const top = stack[stack.length - 1]!
      const next = out.get(top[0])![top[1]++]
      if (next === undefined) done.push(stack.pop()![0])
      else if (!seen.has(next)) {
        seen.add(next)
        stack.push([next, 0])
      }
    }
  }
  return done.reverse()
}
