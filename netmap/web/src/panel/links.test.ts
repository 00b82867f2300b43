import { describe, expect, test } from 'vitest'
import type { Edge } from '../api/types.ts'
import { fill, linkValues } from './links.ts'

const link = (url: string, needs: string[] = []) => ({ name: 'Traces', kind: 'traces', url, needs })
const end = { 'k8s.pod.name': 'reviews-1', 'service.name': 'a&b/../?x=1#y' }

describe('a link', () => {
  test('has the values of the end, and the time', () => {
    expect(fill(link('https://jaeger.example/search?pod={k8s.pod.name}&start={from}&end={to}'), end, 1.5, 2)).toBe(
      'https://jaeger.example/search?pod=reviews-1&start=1500&end=2000',
    )
  })

  test('leads where the operator says, whatever the value', () => {
    expect(fill(link('https://g.example/{service.name}?q=1'), end, 0, 0)).toBe(
      'https://g.example/a%26b%2F..%2F%3Fx%3D1%23y?q=1',
    )
  })

  test('may be plain HTTP', () => {
    expect(fill(link('http://grafana.internal/d/1?pod={k8s.pod.name}'), end, 0, 0)).toBe(
      'http://grafana.internal/d/1?pod=reviews-1',
    )
  })

  test('is not there without what it needs', () => {
    expect(fill(link('https://g.example/{host.name}', ['host.name']), end, 0, 0)).toBeUndefined()
    expect(fill(link('https://g.example/{host.name}'), end, 0, 0)).toBe('https://g.example/')
    expect(fill(link('https://g.example/{constructor}'), end, 0, 0)).toBe('https://g.example/')
  })

  test.each([
    'javascript:alert(1)//{k8s.pod.name}',
    'data:text/html,{k8s.pod.name}',
    '{service.name}',
    '//x.example/',
    'ftp://x.example/',
  ])('%s is no web page', (url) => expect(fill(link(url), end, 0, 0)).toBeUndefined())

  test('a value is no scheme', () => {
    expect(fill(link('{a}://x.example'), { a: 'javascript:alert(1)' }, 0, 0)).toBeUndefined()
  })
})

describe('the values of an end of an edge', () => {
  const edge = (of: Record<string, string>) =>
    ({
      client: { 'service.name': 'productpage', 'k8s.pod.name': 'productpage-1' },
      server: { 'service.name': 'reviews', 'k8s.workload.name': 'reviews' },
      edge: of,
    }) as unknown as Edge
  const translated = edge({ port: '9080', transport: 'tcp', nat: 'dnat', original: 'reviews', 'original.port': '80' })

  test('are its own, those of both ends, and those of the edge', () => {
    expect(linkValues(translated, 'client')).toEqual({
      'service.name': 'productpage',
      'k8s.pod.name': 'productpage-1',
      'client.service.name': 'productpage',
      'client.k8s.pod.name': 'productpage-1',
      'server.service.name': 'reviews',
      'server.k8s.workload.name': 'reviews',
      'peer.service.name': 'reviews',
      'peer.k8s.workload.name': 'reviews',
      'server.port': '9080',
      'network.transport': 'tcp',
      'netconn.nat': 'dnat',
      'netconn.original_destination.name': 'reviews',
      'netconn.original_destination.port': '80',
      'network.peer.port': '80',
    })
  })

  test('the peer of the server is the client', () => {
    const values = linkValues(translated, 'server')
    expect(values['peer.k8s.pod.name']).toBe('productpage-1')
    expect(values['service.name']).toBe('reviews')
  })

  test('a server has as many peer ports as connections', () => {
    expect(linkValues(translated, 'server')).not.toHaveProperty('network.peer.port')
  })

  test.each([
    ['none', '9080'],
    ['snat', '9080'],
    ['unresolved', undefined],
  ])('without an original port and with NAT %s the client has the peer port %s', (nat, want) => {
    expect(linkValues(edge({ port: '9080', nat }), 'client')['network.peer.port']).toBe(want)
  })

  test('make a link to the other end', () => {
    const traces = link('https://j.example/?service={peer.service.name}&port={server.port}&start={from_us}&end={to_us}')
    const values = linkValues(translated, 'client')
    expect(fill(traces, values, 1.5, 2)).toBe('https://j.example/?service=reviews&port=9080&start=1500000&end=2000000')
    expect(fill(link('https://t.example/?s={from_s}-{to_s}'), values, 1.5, 2.5)).toBe('https://t.example/?s=1-3')
  })

  test('make no link where the edge lacks what it needs', () => {
    const needs = ['netconn.original_destination.port']
    const original = link('https://g.example/?p={netconn.original_destination.port}', needs)
    expect(fill(original, linkValues(edge({ port: '9080', nat: 'none' }), 'client'), 0, 0)).toBeUndefined()
    expect(fill(original, linkValues(translated, 'client'), 0, 0)).toBe('https://g.example/?p=80')
  })

  test('an inherited name is no value', () => {
    expect(fill(link('https://g.example/', ['constructor']), linkValues(translated, 'client'), 0, 0)).toBeUndefined()
  })
})
