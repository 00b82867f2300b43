import { useEffect, useRef, useState } from 'preact/hooks'
import type { Drawing } from './drawing.ts'
import { halfWidth } from './geometry.ts'
import type { Point } from './layout.ts'
import type { Order } from './layout.worker.ts'

type Positions = Record<string, Point>

/** How much wider the letters of titles are than those of labels. */
const BOLD = 1.25

/** The number of kinds of graphs whose positions are kept. */
const KEPT = 12

/**
 * The positions of all nodes of a drawing, computed in a worker; null until they are. While the kind of graph stays the
 * same (its nodes and groups by the same tags), a node keeps its position, even after it was absent for a while.
 */
export function usePositions(drawing: Drawing, kind: string): Positions | null {
  const worker = useRef<Worker | null>(null)
  const known = useRef(new Map<string, Positions>())
  const ticket = useRef(0)
  const [computed, setComputed] = useState<{ kind: string; all: Positions } | null>(null)

  useEffect(() => {
    worker.current = new Worker(new URL('./layout.worker.ts', import.meta.url), { type: 'module' })
    return () => worker.current?.terminate()
  }, [])

  const nodes = drawing.nodes.map((n) => n.key).join(',')
  useEffect(() => {
    const before = known.current.get(kind) ?? {}
    const mine = ++ticket.current
    if (drawing.nodes.every((n) => before[n.key])) {
      setComputed({ kind, all: before })
      return
    }
    const order: Order = {
      ticket: mine,
      nodes: drawing.nodes.map((n) => ({
        id: n.key,
        group: n.group || (drawing.grouped ? n.key : ''),
        label: halfWidth(n.label.split('\n')[0]!),
        title: BOLD * halfWidth(drawing.groups.find((g) => g.key === n.group)?.label ?? ''),
      })),
      links: drawing.edges.map(({ from, to }) => ({ from, to })),
      pinned: before,
    }
    worker.current!.onmessage = (e: MessageEvent<{ ticket: number; positions: Positions }>) => {
      if (e.data.ticket !== ticket.current) return
      const all = { ...before, ...e.data.positions }
      known.current.delete(kind)
      known.current.set(kind, all)
      if (known.current.size > KEPT) known.current.delete(known.current.keys().next().value!)
      setComputed({ kind, all })
    }
    worker.current!.postMessage(order)
  }, [nodes, kind])

  return computed?.kind === kind && drawing.nodes.every((n) => computed.all[n.key]) ? computed.all : null
}
