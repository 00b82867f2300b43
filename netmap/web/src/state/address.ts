import { useCallback, useEffect, useState } from 'preact/hooks'
import { parse, serialise, type State } from './state.ts'

/**
 * Changes some fields of the state. With `replace`, the back button skips the state before: for what is typed letter
 * by letter.
 */
export type Change = (patch: Partial<State>, replace?: boolean) => void

/** The state of the page, which is its address. The browser's back and forward buttons change it too. */
export function useAddress(): [State, Change] {
  const [state, setState] = useState(() => parse(location.search))
  useEffect(() => {
    const moved = () => setState(parse(location.search))
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }, [])
  const change = useCallback<Change>((patch, replace = false) => {
    const before = parse(location.search)
    const next = { ...before, ...patch }
    const query = serialise(next)
    if (query !== serialise(before))
      history[replace ? 'replaceState' : 'pushState'](null, '', query || location.pathname)
    setState(next)
  }, [])
  return [state, change]
}
