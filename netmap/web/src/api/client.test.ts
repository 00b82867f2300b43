import { afterEach, describe, expect, test, vi } from 'vitest'
import { address, ApiError, ask } from './client.ts'

afterEach(() => vi.unstubAllGlobals())

/** Answers the next requests with this; returns what was asked. */
function answering(answer: () => Promise<Response>): RequestInit[] {
  const asked: RequestInit[] = []
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    asked.push(init)
    return answer()
  })
  return asked
}

const json = (body: unknown, init: ResponseInit = {}) => Promise.resolve(new Response(JSON.stringify(body), init))
const failure = (asked: Promise<unknown>) =>
  asked.then(
    () => Promise.reject(new Error('it did not fail')),
    (err: unknown) => err as ApiError,
  )

describe('an address', () => {
  test.each([
    ['graph', {}, 'api/v1/graph'],
    ['graph', { by: 'zone', group: '', loops: false, end: undefined }, 'api/v1/graph?by=zone'],
    ['flows', { problems: true, limit: 0 }, 'api/v1/flows?problems=true&limit=0'],
    ['graph', { filter: 'a="b&c" d%' }, 'api/v1/graph?filter=a%3D%22b%26c%22+d%25'],
  ])('%s %j is %s', (path, params, want) => expect(address(path, params)).toBe(want))
})

describe('an answer', () => {
  test('comes with its ETag, and the next request names it', async () => {
    const asked = answering(() => json({ n: 1 }, { headers: { ETag: '"1"' } }))
    expect(await ask('x', null)).toEqual({ data: { n: 1 }, etag: '"1"' })
    await ask('x', '"1"')
    expect(asked.map((init) => init.headers)).toEqual([{}, { 'If-None-Match': '"1"' }])
    expect(asked[0]).toMatchObject({ cache: 'no-store', credentials: 'same-origin' })
  })

  test('that is unchanged is null', async () => {
    answering(() => Promise.resolve(new Response(null, { status: 304 })))
    expect(await ask('x', '"1"')).toBeNull()
  })

  test('that is cut short is an error', async () => {
    answering(() => Promise.resolve(new Response('{"n":')))
    expect(await failure(ask('x', null))).toMatchObject({ code: 'unreadable', permanent: false })
  })
})

describe('an error', () => {
  test('of the API has its code, its field and its offset', async () => {
    const error = { code: 'bad_filter', message: 'unknown tag', field: 'filter', offset: 7 }
    answering(() => json({ error }, { status: 400 }))
    expect(await failure(ask('x', null))).toMatchObject({ ...error, permanent: true })
  })

  test.each([
    [{ error: { code: 'busy', message: 'later', field: 1, offset: 'x' } }, 503, 'busy', 'later'],
    [{ error: { code: 7 } }, 500, 'status_500', 'the collector answered 500'],
    [null, 502, 'status_502', 'the collector answered 502'],
    ['no', 401, 'unauthorized', 'the collector asks for a login that the browser does not have'],
  ])('%j with status %i is %s: %s', async (body, status, code, message) => {
    answering(() => json(body, { status }))
    const error = await failure(ask('x', null))
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ code, message, field: undefined, offset: undefined, permanent: false })
  })

  test('that is no JSON names the status', async () => {
    answering(() => Promise.resolve(new Response('<html>', { status: 504, statusText: 'Gateway Timeout' })))
    expect((await failure(ask('x', null))).message).toBe('the collector answered 504 Gateway Timeout')
  })

  test('of the network says that there is no answer', async () => {
    answering(() => Promise.reject(new TypeError('fetch failed')))
    expect(await failure(ask('x', null))).toMatchObject({ code: 'unreachable', permanent: false })
  })

  test('is none where the page itself gave up', async () => {
    const abort = new AbortController()
    abort.abort()
    answering(() => Promise.reject(new DOMException('aborted', 'AbortError')))
    expect(await failure(ask('x', null, abort.signal))).not.toBeInstanceOf(ApiError)
  })

  test.each([
    ['bad_parameter', true],
    ['not_found', true],
    ['too_large', true],
    ['busy', false],
    ['unreachable', false],
  ])('%s is permanent: %s', (code, permanent) => expect(new ApiError(code, '').permanent).toBe(permanent))
})
