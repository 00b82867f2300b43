import type { Tag } from '../api/types.ts'
import { healths } from '../health.ts'
import { metrics } from '../metrics.ts'
import type { EdgeTag } from '../names.ts'
import type { Change } from '../state/address.ts'
import type { State } from '../state/state.ts'
import { nodeTags, tagName } from '../tags.ts'
import './Controls.css'

interface Props {
  state: State
  change: Change
  tags: Tag[]
  /** There is a store, which has the day before. */
  store: boolean
}

export function Controls(props: Props) {
  return props.state.view === 'map' ? <MapControls {...props} /> : <TableControls {...props} />
}

const COLOURS = healths()

function MapControls({ state, change, tags }: Props) {
  const reset = { focus: '', hide: [], selected: null }
  return (
    <div class="controls" role="group" aria-label="What the map shows">
      <TagSelect label="Nodes by" value={state.by} tags={tags} set={(by) => change({ by, ...reset })} />
      <TagSelect
        label="in groups by"
        value={state.group}
        tags={tags}
        none="no group"
        set={(group) => change({ group, ...reset })}
      />
      <i class="rule" />
      <Select label="Size" value={state.size} options={metrics} set={(size) => change({ size })} />
      <Select label="Width" value={state.width} options={metrics} set={(width) => change({ width })} />
      <Select label="Colour" value={state.colour} options={COLOURS} set={(colour) => change({ colour })} />
      <i class="rule" />
      <Toggle label="Only problems" on={state.problems} set={(problems) => change({ problems })} />
      <Toggle
        label="Mesh hops"
        title="Show the hops between an application and its own sidecar, and between ztunnels, where both are one node"
        on={state.loops}
        set={(loops) => change({ loops })}
      />
    </div>
  )
}

const first = (list: string) => list.split(',')[0]!
const second = (list: string) => list.split(',').slice(1).join(',')

function TableControls({ state, change, tags, store }: Props) {
  const set = (field: 'clients' | 'servers', a: string, b: string) =>
    change({ [field]: b && b !== a ? `${a},${b}` : a, selected: null })
  return (
    <div class="controls" role="group" aria-label="What a row stands for">
      <TagSelect
        label="Clients by"
        value={first(state.clients)}
        tags={tags}
        set={(a) => set('clients', a, second(state.clients))}
      />
      <TagSelect
        label="and"
        value={second(state.clients)}
        tags={tags}
        none="nothing"
        set={(b) => set('clients', first(state.clients), b)}
      />
      <i class="rule" />
      <TagSelect
        label="Servers by"
        value={first(state.servers)}
        tags={tags}
        edge
        set={(a) => set('servers', a, second(state.servers))}
      />
      <TagSelect
        label="and"
        value={second(state.servers)}
        tags={tags}
        none="nothing"
        edge
        set={(b) => set('servers', first(state.servers), b)}
      />
      <i class="rule" />
      <Toggle label="Only problems" on={state.problems} set={(problems) => change({ problems })} />
      <Toggle
        label="Mesh hops"
        title="Count the hops between an application and its own sidecar, and between ztunnels, where both are in one row"
        on={state.loops}
        set={(loops) => change({ loops })}
      />
      {store && (
        <Toggle
          label="Day before"
          title="Compare the bytes of each row with those of the same window a day before"
          on={state.compare}
          set={(compare) => change({ compare })}
        />
      )}
    </div>
  )
}

/** Tags of edges that a row of the table may stand for. */
const ROW_TAGS: EdgeTag[] = ['port', 'original', 'original.port', 'nat', 'scope']

interface TagSelectProps {
  label: string
  value: string
  tags: Tag[]
  /** The label of the choice of no tag, if there is one. */
  none?: string
  /** Also offers tags of edges. */
  edge?: boolean
  set(tag: string): void
}

function TagSelect({ label, value, tags, none, edge, set }: TagSelectProps) {
  const all = nodeTags(tags, value)
  const more = edge ? ROW_TAGS.filter((tag) => !all.some((t) => t.tag === tag)) : []
  return (
    <label class="inline">
      {label}
      <select value={value} onChange={(e) => set(e.currentTarget.value)}>
        {none && <option value="">{none}</option>}
        <optgroup label="With values now">
          {all
            .filter((t) => t.known)
            .map((t) => (
              <option key={t.tag} value={t.tag}>
                {tagName(t.tag)}
              </option>
            ))}
          {more.map((tag) => (
            <option key={tag} value={tag}>
              {tagName(tag)}
            </option>
          ))}
        </optgroup>
        <optgroup label="Nothing has these now">
          {all
            .filter((t) => !t.known)
            .map((t) => (
              <option key={t.tag} value={t.tag}>
                {tagName(t.tag)}
              </option>
            ))}
        </optgroup>
        {value.includes(',') && <option value={value}>{value.split(',').map(tagName).join(' and ')}</option>}
      </select>
    </label>
  )
}

function Select({
  label,
  value,
  options,
  set,
}: {
  label: string
  value: string
  options: { id: string; label: string }[]
  set(id: string): void
}) {
  const known = options.some((o) => o.id === value) ? value : options[0]!.id
  return (
    <label class="inline">
      {label}
      <select value={known} onChange={(e) => set(e.currentTarget.value)}>
        {options.map((o) => (
          <option key={o.id} value={o.id}>
            {o.label}
          </option>
        ))}
      </select>
    </label>
  )
}

function Toggle({ label, title, on, set }: { label: string; title?: string; on: boolean; set(on: boolean): void }) {
  return (
    <label class="inline toggle" title={title}>
      <input type="checkbox" checked={on} onChange={(e) => set(e.currentTarget.checked)} /> {label}
    </label>
  )
}
