import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, ask } from './client.ts'

/** What is known of a request that is repeated: the last answer stays while the next is under way or has failed. */
export interface Poll<T> {
  data: T | null
  /** The request that the data answers. */
  of: string
  error: ApiError | null
  /** The answer to what is asked for now is still to come. */
  waiting: boolean
  /** When the collector last answered, in milliseconds since 1970. */
  at: number
}

/** How often the page asks, in milliseconds. Most answers are "unchanged", and cost nothing. */
export const EVERY = 5000
const AFTER_ERROR = [1000, 2000, 5000]

/**
 * Asks for an address now and every few seconds; null asks for nothing. A hidden page does not ask, and one that is looked at again
 * asks at once. While paused it asks only when the address is another one.
 */
export function usePoll<T>(url: string | null, paused = false): Poll<T> {
  const [poll, setPoll] = useState<Omit<Poll<T>, 'waiting'>>({ data: null, of: '', error: null, at: 0 })
  const last = useRef({ url: '', etag: null as string | null })

  useEffect(() => {
    if (url === null) return
    if (paused && last.current.url === url) return
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let failures = 0
    const again = (ms: number) => {
      timer = setTimeout(once, ms)
    }
    const looked = () => {
      if (document.hidden || timer === undefined) return
      clearTimeout(timer)
      void once()
    }
    const once = async () => {
      timer = undefined
      if (document.hidden && last.current.url === url) return again(EVERY)
      try {
        const reply = await ask<T>(url, last.current.url === url ? last.current.etag : null, abort.signal)
        failures = 0
        if (reply) last.current = { url, etag: reply.etag }
        setPoll((p) => ({ data: reply ? reply.data : p.data, of: url, error: null, at: Date.now() }))
      } catch (err) {
        if (abort.signal.aborted) return
        const error = err instanceof ApiError ? err : new ApiError('internal', String(err))
        setPoll((p) => ({ ...p, error }))
        if (error.permanent) return
        return again(AFTER_ERROR[Math.min(failures++, AFTER_ERROR.length - 1)]!)
      }
      if (!paused) again(EVERY)
    }
    void once()
    document.addEventListener('visibilitychange', looked)
    return () => {
      document.removeEventListener('visibilitychange', looked)
      abort.abort()
      clearTimeout(timer)
    }
  }, [url, paused])

  return { ...poll, waiting: url !== null && poll.of !== url && !poll.error }
}
