import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, ask } from './client.ts'

/** The state of a repeated request. The last answer stays while the next is under way or has failed. */
export interface Poll<T> {
  data: T | null
  /** The request that the data answers. */
  of: string
  error: ApiError | null
  /** The answer to the current request has not arrived yet. */
  waiting: boolean
  /** When the collector last answered, in milliseconds since 1970. */
  at: number
}

/** Milliseconds between two requests. Most answers are "unchanged", which costs little. */
export const EVERY = 5000
const AFTER_ERROR = [1000, 2000, 5000]

/**
 * Requests a URL now and then every few seconds; null requests nothing. A hidden page makes no requests; a page that
 * becomes visible makes one at once. While paused, only a new URL is requested.
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
