import { describe, expect, test } from 'vitest'
import type { Tag } from './api/types.ts'
import { errorName, fullName, nodeName, nodeTags, tagName } from './tags.ts'

const tag = (name: string, values: number): Tag => ({ tag: name, attribute: name, of: 'end', ends: values, values })

test('a tag has a name, and one that is not known is its own', () => {
  expect([tagName('pod.uid'), tagName('nat'), tagName('new.tag')]).toEqual(['Pod UID', 'NAT', 'new.tag'])
})

describe('the tags that nodes can be made of', () => {
  test('those with values come first, each in the order of the page', () => {
    const tags = nodeTags([tag('zone', 2), tag('pod', 0), tag('workload', 1)], 'pod')
    expect(tags.filter((t) => t.known).map((t) => t.tag)).toEqual(['name', 'workload', 'zone'])
    expect(tags.find((t) => t.tag === 'pod')).toEqual({ tag: 'pod', known: false })
    expect(tags.map((t) => t.tag)).not.toContain('transport')
  })

  test('the chosen one is there, whatever it is', () => {
    expect(nodeTags([], 'colour').at(-1)).toEqual({ tag: 'colour', known: false })
    expect(nodeTags([], '').map((t) => t.tag)).not.toContain('')
  })

  test('no tag is there twice', () => {
    const tags = nodeTags([tag('name', 1)], 'name').map((t) => t.tag)
    expect(new Set(tags).size).toBe(tags.length)
  })
})

describe('a node is called', () => {
  test.each([
    ['workload', 'reviews', 'reviews'],
    ['', '', 'other'],
    ['type', 'public', 'public addresses'],
    ['type', 'elsewhere', 'elsewhere'],
    ['port', '443', 'port 443'],
    ['zone', '', 'no zone'],
    ['pod.uid', '', 'no pod uid'],
    ['workload', 'photo\u202egnp.exe', 'photo\ufffdgnp.exe'],
    ['type', 'a\nb', 'a\ufffdb'],
    ['port', '\u0007', 'port \ufffd'],
  ])('%s=%j: %j', (tag, name, want) => expect(nodeName({ tag, name })).toBe(want))
})

test('an id is behind the name of what it is of', () => {
  const id = 'f80c2b3799f0aa11'
  expect(nodeName({ tag: 'container.id', name: id, label: 'app' })).toBe('app f80c2b37')
  expect(nodeName({ tag: 'container.id', name: id, label: 'photo\u202egnp' })).toBe('photo\ufffdgnp f80c2b37')
  expect(nodeName({ tag: 'container.id', name: id, label: '' })).toBe(id)
})

test('errors are words', () => {
  expect(['timed_out', '_OTHER', 'reset', 'a\u202eb'].map(errorName)).toEqual([
    'timed out',
    'other',
    'reset',
    'a\ufffdb',
  ])
})

test('a node is called with its group, unless the two have one name', () => {
  const full = (name: string, group: string) => plain(fullName({ tag: 'image.tag', name, group }))
  expect(full('2.0.7', 'ratings')).toBe('2.0.7 in ratings')
  expect([full('ratings', 'ratings'), full('2.0.7', '')]).toEqual(['ratings', '2.0.7'])
})

const plain = (text: string) => text.replace(/[\u2066-\u2069]/g, '')
