import { describe, expect, test } from 'vitest'
import { fill } from './links.ts'

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
