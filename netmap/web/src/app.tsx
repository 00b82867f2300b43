import './app.css'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { address, type Params } from './api/client.ts'
import { usePoll, type Poll } from './api/poll.ts'
import type { Flows, Graph, Status, Tag } from './api/types.ts'
import { FilterBox } from './filter/FilterBox.tsx'
import { MapView, useModel } from './map/MapView.tsx'
import { NodeList } from './map/NodeList.tsx'
import { MOST } from './map/model.ts'
import { healths } from './health.ts'
import { metricOf } from './metrics.ts'
import { Panel } from './panel/Panel.tsx'
import { conditions, emptiness, type Known } from './shell/conditions.ts'
import { Conditions, Empty, Missing } from './shell/Conditions.tsx'
import { Controls } from './shell/Controls.tsx'
import { Figures } from './shell/Figures.tsx'
import { Advice, Presets } from './shell/Presets.tsx'
import { StatusBar } from './shell/StatusBar.tsx'
import { TopBar } from './shell/TopBar.tsx'
import { useAddress, type Change } from './state/address.ts'
import { defaults, type State } from './state/state.ts'
import { dayBefore } from './table/compare.ts'
import { PAGE, TableView } from './table/TableView.tsx'
import { Healths } from './useHealth.ts'

export function App() {
  const [state, change] = useAddress()
  useTheme(state)
  const data = useData(state)
  const { known, poll, tags, loops } = data
  const filterError = poll.error?.code === 'bad_filter' ? poll.error : null
  return (
    <Healths.Provider value={useHealths(known.status)}>
      <div class={state.selected ? 'app with-panel' : 'app'}>
        <Skip />
        <TopBar
          state={state}
          change={change}
          status={known.status}
          since={known.since}
          failing={poll.error !== null && !filterError}
        />
        <section class="bar" aria-label="Filter and groups">
          <FilterBox
            filter={state.filter}
            tags={tags}
            window={state.window}
            error={filterError}
            apply={(filter) => change({ filter })}
          />
          <Controls state={state} change={change} tags={tags} store={Boolean(known.status?.history)} />
        </section>
        <div class="rail">
          <Presets state={state} change={change} tags={tags} />
          {known.model && <NodeList model={known.model} state={state} change={change} />}
        </div>
        <main id="main" tabIndex={-1} aria-busy={poll.waiting}>
          {poll.waiting && poll.data && <div class="progress" aria-hidden="true" />}
          <Advice state={state} tags={tags} status={known.status} />
          <Conditions all={conditions(known)} />
          {poll.data && (
            <Figures answer={poll.data} model={known.model} rows={data.flows ? data.flows.rows : null} loops={loops} />
          )}
          <div class="content">
            <Content state={state} change={change} data={data} />
          </div>
        </main>
        {state.selected && (
          <Panel
            state={state}
            change={change}
            model={known.model}
            links={known.status?.links ?? []}
            folded={loops}
            params={data.params}
          />
        )}
        <StatusBar status={known.status} />
      </div>
    </Healths.Provider>
  )
}

/** What colours stand for. It changes only with the configuration, and with whether the alerts are known. */
function useHealths(status: Status | null) {
  const [thresholds, known] = [JSON.stringify(status?.thresholds), status?.alerts.state === 'ok']
  return useMemo(() => healths(status?.thresholds, known), [thresholds, known])
}

/** A link that takes the keyboard past the controls. */
function Skip() {
  return (
    <a
      class="skip"
      href="#main"
      onClick={(e) => {
        e.preventDefault()
        document.getElementById('main')?.focus()
      }}
    >
      Skip to the content
    </a>
  )
}

type Data = ReturnType<typeof useData>

/** Everything that the page requests from the collector, and what it knows from the answers. */
function useData(state: State) {
  const [limit, setLimit] = useState(PAGE)
  const [paused, onMap] = [state.end > 0, state.view === 'map']
  const params = common(state)
  const status = usePoll<Status>(address('status'))
  const tagPoll = usePoll<{ tags: Tag[] }>(address('tags'), paused)
  const graph = usePoll<Graph>(onMap ? graphUrl(state, params) : null, paused)
  const flowParams: Params = {
    ...params,
    clients: state.clients,
    servers: state.servers,
    sort: state.sort,
    load: state.preset === 'churn',
  }
  const flows = usePoll<Flows>(onMap ? null : address('flows', { ...flowParams, limit }), paused)
  const compared = !onMap && state.compare && status.data?.history ? state.end || status.data.now : 0
  const then = usePoll<Flows>(compared ? address('flows', dayBefore(flowParams, state.window, compared)) : null, true)
  const model = useModel(onMap ? graph.data : null, state)
  const poll: Poll<Graph | Flows> = onMap ? graph : flows
  const tags = tagPoll.data?.tags ?? []
  const known: Known = {
    state,
    status: status.data,
    statusError: status.error,
    answer: poll.data,
    error: poll.error,
    beforeError: compared ? then.error : null,
    model,
    since: useSince(poll.at),
    tags,
  }
  return {
    known,
    poll,
    tags,
    params,
    /** The table's answer; null while the map is shown. */
    flows: onMap ? null : flows.data,
    flowParams,
    before: compared && !then.waiting ? then.data : null,
    comparing: compared > 0,
    limit,
    more: () => setLimit(Math.min(limit + PAGE, 1000)),
    /** Hops within a node that the figures leave out. */
    loops: poll.data?.folded.loops.edges ?? 0,
  }
}

/** The map or the table, or the reason why neither is shown. */
function Content({ state, change, data }: { state: State; change: Change; data: Data }) {
  const { poll, known, flows } = data
  const empty = emptiness(known)
  const showAll = () => change({ filter: '', problems: false, only: '', hide: [], focus: '', preset: '' })
  if (empty) return <Empty {...empty} clear={empty.clear ? showAll : null} />
  if (!poll.data) return <Missing error={poll.error} startOver={() => change({ ...defaults, theme: state.theme })} />
  if (known.model) return <MapView model={known.model} state={state} change={change} />
  if (!flows) return null
  return (
    <TableView
      flows={flows}
      currency={data.known.status?.costs?.currency ?? ''}
      state={state}
      change={change}
      params={data.flowParams}
      limit={data.limit}
      then={data.before}
      comparing={data.comparing}
      more={data.more}
    />
  )
}

/** Parameters that every request about traffic takes. */
function common(state: State): Params {
  return {
    window: state.window,
    end: state.end || undefined,
    filter: state.filter,
    problems: state.problems,
    only: state.only,
    loops: state.loops,
  }
}

/** The URL of the graph: all of it if the page itself reduces it, else no more than it draws. */
function graphUrl(state: State, params: Params): string {
  const cut = state.focus || state.hide.length > 0
  return address('graph', {
    ...params,
    by: state.by,
    group: state.group,
    metrics: 'tx,rx,retransmits,rtt,attempts,failures,closed,breaks,active,lookups,lookup_failures,lookup_time',
    rank: metricOf(state.width).rank,
    nodes: cut ? 1000 : MOST.nodes - 1,
    edges: cut ? 5000 : MOST.edges,
  })
}

function useTheme({ theme, view }: State) {
  useMemo(() => {
    document.documentElement.dataset.theme =
      theme === 'auto' ? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light') : theme
  }, [theme])
  useEffect(() => {
    if (theme !== 'auto') return
    const query = matchMedia('(prefers-color-scheme: dark)')
    const set = () => {
      document.documentElement.dataset.theme = query.matches ? 'dark' : 'light'
    }
    query.addEventListener('change', set)
    return () => query.removeEventListener('change', set)
  }, [theme])
  useEffect(() => {
    document.title = view === 'map' ? 'netconn: network map' : 'netconn: dependencies'
  }, [view])
}

/** Seconds since a time in milliseconds, updated every five seconds; null if the time is 0. */
function useSince(at: number): number | null {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 5000)
    return () => clearInterval(timer)
  }, [at])
  return at ? Math.max(0, (now - at) / 1000) : null
}
