import './Sparkline.css'

/** The volume of a row over the window, from 0 up. Screen readers skip it: the figures beside it say the same. */
export function Sparkline({ values: all }: { values: (number | null)[] }) {
  const values = all.at(-1) ? all : all.slice(0, -1) // the last step may not have been reported yet
  const width = 92
  const height = 20
  const most = Math.max(...values.map((v) => v ?? 0), 0)
  if (!most)
    return (
      <svg class="spark" width={width} height={height} aria-hidden="true">
        <path d={`M0 ${height - 1}H${width}`} />
      </svg>
    )
  const x = (i: number) => Math.round((i / Math.max(1, values.length - 1)) * width * 10) / 10
  const y = (v: number) => Math.round((height - 1 - (v / most) * (height - 3)) * 10) / 10
  const points = values.map((v, i) => `${x(i)} ${y(v ?? 0)}`)
  return (
    <svg class="spark" width={width} height={height} aria-hidden="true">
      <path class="area" d={`M0 ${height}L${points.join('L')}L${width} ${height}Z`} />
      <path d={`M${points.join('L')}`} />
    </svg>
  )
}
