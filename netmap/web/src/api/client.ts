/** An error from the API, or from the network on the way to it. */
export class ApiError extends Error {
  readonly code: string
  readonly field: string | undefined
  readonly offset: number | undefined

  constructor(code: string, message: string, field?: string, offset?: number) {
    super(message)
    this.code = code
    this.field = field
    this.offset = offset
  }

  /** Reports whether the request is at fault: sending it again cannot help. */
  get permanent(): boolean {
    return this.code.startsWith('bad_') || this.code === 'not_found' || this.code === 'too_large'
  }
}

export type Params = Record<string, string | number | boolean | undefined>

/**
 * The URL of a request, relative to the page, because a proxy may serve the page below a prefix. Empty parameters are
 * left out.
 */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '' && value !== false) query.set(name, String(value))
  }
  const text = query.toString()
  return 'api/v1/' + path + (text && '?' + text)
}

export interface Reply<T> {
  data: T
  etag: string | null
}

const TIMEOUT = 20_000

/** Sends one request. Returns null if the answer still has this ETag. Throws an ApiError if it fails. */
export async function ask<T>(url: string, etag: string | null, signal?: AbortSignal): Promise<Reply<T> | null> {
  const limit = AbortSignal.timeout(TIMEOUT)
  let response: Response
  try {
    response = await fetch(url, {
      headers: etag ? { 'If-None-Match': etag } : {},
      cache: 'no-store',
      credentials: 'same-origin',
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
  } catch (err) {
    if (signal?.aborted) throw err
    throw new ApiError('unreachable', limit.aborted ? 'no answer within 20 seconds' : 'the collector cannot be reached')
  }
  if (response.status === 304) return null
  if (!response.ok) throw await refusal(response)
  try {
    return { data: (await response.json()) as T, etag: response.headers.get('ETag') }
  } catch (err) {
    if (signal?.aborted) throw err
    throw new ApiError('unreadable', 'the answer is cut short or is no JSON')
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null)
  const error = (body as { error?: Record<string, unknown> } | null)?.error
  if (typeof error?.code === 'string' && typeof error.message === 'string') {
    const field = typeof error.field === 'string' ? error.field : undefined
    return new ApiError(error.code, error.message, field, typeof error.offset === 'number' ? error.offset : undefined)
  }
  if (response.status === 401)
    return new ApiError('unauthorized', 'the collector asks for a login that the browser does not have')
  return new ApiError(
    `status_${response.status}`,
    `the collector answered ${response.status} ${response.statusText}`.trim(),
  )
}
