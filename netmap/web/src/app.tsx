import './app.css'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { address, type Params } from './api/client.ts'
import { usePoll, type Poll } from './api/poll.ts'
import type { Flows, Graph, Status, Tag } from './api/types.ts'
import { FilterBox } from './filter/FilterBox.tsx'
import { MapView, useModel } from './map/MapView.tsx'
import { NodeList } from './map/NodeList.tsx'
import { MOST } from './map/model.ts'
import { metricOf } from './metrics.ts'
import { Panel } from './panel/Panel.tsx'
import { conditions, emptiness, type Known } from './shell/conditions.ts'
import { Conditions, Empty, Missing } from './shell/Conditions.tsx'
import { Controls } from './shell/Controls.tsx'
import { Figures } from './shell/Figures.tsx'
import { Advice, Presets } from './shell/Presets.tsx'
import { StatusBar } from './shell/StatusBar.tsx'
import { TopBar } from './shell/TopBar.tsx'
import { useAddress } from './state/address.ts'
import { defaults, type State } from './state/state.ts'
import { PAGE, TableView } from './table/TableView.tsx'

export function App() {
  const [state, change] = useAddress()
  const [limit, setLimit] = useState(PAGE)
  useTheme(state)
  const paused = state.end > 0
  const params = common(state)
  const status = usePoll<Status>(address('status'))
  const tags = usePoll<{ tags: Tag[] }>(address('tags'), paused)
  const graph = usePoll<Graph>(state.view === 'map' ? graphUrl(state, params) : null, paused)
  const flowParams: Params = { ...params, clients: state.clients, servers: state.servers, sort: state.sort }
  const flows = usePoll<Flows>(state.view === 'table' ? address('flows', { ...flowParams, limit }) : null, paused)
  const model = useModel(state.view === 'map' ? graph.data : null, state)
  const poll: Poll<Graph | Flows> = state.view === 'map' ? graph : flows
  const since = useSince(poll.at)
  const tagList = tags.data?.tags ?? []
  const known: Known = {
    state,
    status: status.data,
    statusError: status.error,
    answer: poll.data,
    error: poll.error,
    model: state.view === 'map' ? model : null,
    since,
    tags: tagList,
  }
  const empty = emptiness(known)
  const filterError = poll.error?.code === 'bad_filter' ? poll.error : null
  const loops = poll.data?.folded.loops.edges ?? 0

  return (
    <div class={state.selected ? 'app with-panel' : 'app'}>
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
      <TopBar
        state={state}
        change={change}
        status={status.data}
        since={since}
        failing={poll.error !== null && !filterError}
      />
      <section class="bar" aria-label="Filter and groups">
        <FilterBox
          filter={state.filter}
          tags={tagList}
          window={state.window}
          error={filterError}
          apply={(filter) => change({ filter })}
        />
        <Controls state={state} change={change} tags={tagList} />
      </section>
      <div class="rail">
        <Presets state={state} change={change} tags={tagList} />
        {state.view === 'map' && model && <NodeList model={model} state={state} change={change} />}
      </div>
      <main id="main" tabIndex={-1} aria-busy={poll.waiting}>
        {poll.waiting && poll.data && <div class="progress" aria-hidden="true" />}
        <Advice state={state} tags={tagList} />
        <Conditions all={conditions(known)} />
        {poll.data && (
          <Figures
            answer={poll.data}
            model={known.model}
            rows={state.view === 'table' ? flows.data!.rows : null}
            loops={loops}
          />
        )}
        <div class="content">
          {!poll.data && !empty && (
            <Missing error={poll.error} startOver={() => change({ ...defaults, theme: state.theme })} />
          )}
          {empty && (
            <Empty
              {...empty}
              clear={
                empty.clear
                  ? () => change({ filter: '', problems: false, only: '', hide: [], focus: '', preset: '' })
                  : null
              }
            />
          )}
          {!empty && state.view === 'map' && model && <MapView model={model} state={state} change={change} />}
          {!empty && state.view === 'table' && flows.data && (
            <TableView
              flows={flows.data}
              state={state}
              change={change}
              params={flowParams}
              limit={limit}
              more={() => setLimit(Math.min(limit + PAGE, 1000))}
            />
          )}
        </div>
      </main>
      {state.selected && (
        <Panel
          state={state}
          change={change}
          model={known.model}
          links={status.data?.links ?? []}
          folded={loops}
          params={params}
        />
      )}
      <StatusBar status={status.data} />
    </div>
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

/** The whole graph where the page itself cuts it down, else no more than is drawn. */
function graphUrl(state: State, params: Params): string {
  const cut = state.focus || state.hide.length > 0
  return address('graph', {
    ...params,
    by: state.by,
    group: state.group,
    metrics: 'tx,rx,retransmits,rtt,attempts,failures,closed,breaks,active',
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

/** Seconds since then, counted on; null before the first time. */
function useSince(at: number): number | null {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 5000)
    return () => clearInterval(timer)
  }, [at])
  return at ? Math.max(0, (now - at) / 1000) : null
}
