import type { Flows, Load } from '../api/types.ts'
import { bytes, cpus, NONE, percent } from '../format.ts'
import { glyphs, shareLevel } from '../health.ts'

/** The columns of what the containers of both ends use. */
export const LOADS = (['client', 'server'] as const).map((side) => ({
  id: '',
  label: side === 'client' ? 'Client load' : 'Server load',
  title: `CPU and memory of the ${side}'s containers, with the share of its limit that the nearest one uses`,
}))

/** Reports whether the rows have the load of any end. */
export const hasLoad = (flows: Flows) => [...(flows.client_load ?? []), ...(flows.server_load ?? [])].some(Boolean)

export function LoadCells({ flows, i }: { flows: Flows; i: number }) {
  return (
    <>
      <LoadCell of={flows.client_load?.[i] ?? null} />
      <LoadCell of={flows.server_load?.[i] ?? null} />
    </>
  )
}

function LoadCell({ of }: { of: Load | null }) {
  if (!of) return <td>{NONE}</td>
  return (
    <td>
      <Use text={cpus(of.cpu)} share={of.cpu_share} />
      <small>
        <Use text={bytes(of.memory)} share={of.memory_share} />
      </small>
    </td>
  )
}

/** `0.45 CPU (90 %)`. */
function Use({ text, share }: { text: string; share: number | null }) {
  if (text === NONE) return <>{text}</>
  const level = shareLevel(share)
  const bad = level === 'warn' || level === 'bad'
  return (
    <span class={bad ? `level ${level}` : undefined}>
      {bad && glyphs[level] + ' '}
      {text}
      {share !== null && ` (${percent(share)})`}
    </span>
  )
}
