import { expect, test } from 'vitest'
import type { Flows } from '../api/types.ts'
import { csv } from './csv.ts'

const flows = {
  seconds: 300,
  clients: ['name'],
  servers: ['name', 'port'],
  kinds: ['internal', 'external', 'unresolved', 'other'],
  client: [['=cmd|calc'], ['a,"b"']],
  server: [
    ['shop', '80'],
    ['', ''],
  ],
  client_kind: [0, 0],
  server_kind: [0, 1],
  client_name: ['=cmd|calc', 'a,"b"'],
  server_name: ['shop', 'public'],
  flags: [0, 0],
  count: [1, 2],
  tx: [1, 2],
  rx: [3, 4],
  retransmits: [0, 1],
  rtt: [0.5, null],
  rtt_max: [1, null],
  handshake: [null, null],
  attempts: [5, 6],
  failures: [1, 0],
  closed: [0, 0],
  breaks: [0, 0],
  active: [1, 0],
  lookups: [7, 0],
  lookup_failures: [2, 0],
  lookup_time: [0.25, null],
  first: [0, 1],
  last: [1764107120, 2],
  failures_by: { refused: [[0, 1]] },
  breaks_by: {},
  lookups_by: { SERVFAIL: [[0, 2]] },
} as unknown as Flows

test('a line a row, nothing that a spreadsheet runs', () => {
  expect(csv(flows).split('\r\n')).toEqual([
    'client_name,server_name,server_port,client_name,server_name,client_kind,server_kind,' +
      'seconds,tx_bytes,rx_bytes,retransmits,rtt_seconds,rtt_max_seconds,handshake_seconds,attempts,failures,closed,breaks,active,lookups,lookup_failures,lookup_seconds,edges,first,last,failures_refused,lookups_SERVFAIL',
    "'=cmd|calc,shop,80,'=cmd|calc,shop,internal,internal,300,1,3,0,0.5,1,,5,1,0,0,1,7,2,0.25,1,,2025-11-25T21:45:20.000Z,1,2",
    '"a,""b""",,,"a,""b""",public,internal,external,300,2,4,1,,,,6,0,0,0,0,0,0,,2,' +
      '1970-01-01T00:00:01.000Z,1970-01-01T00:00:02.000Z,0,0',
    '',
  ])
})

test.each(['=1', '+1', '-1', '@a', '\tx', '\rx'])('a cell that begins like %j is text to a spreadsheet', (name) => {
  const cells = csv({ ...flows, client_name: [name, 'b'] }).split('\n')[1]!
  expect(cells).toContain(`'${name}`)
})

test('costs have a column where there are prices', () => {
  const head = (f: Flows) => csv(f).split('\r\n')[0]!.split(',')
  expect(head(flows)).not.toContain('cost')
  const priced = { ...flows, cost: [0.25, null] } as Flows
  const at = head(priced).indexOf('cost')
  expect(
    csv(priced)
      .split('\r\n')
      .slice(1, 3)
      .map((line) => line.split(',').at(at - head(priced).length)),
  ).toEqual(['0.25', ''])
})

test('the load of both ends has columns where it was asked for', () => {
  const load = { resources: 1, cpu: 0.45, cpu_share: 0.9, memory: 64e6, memory_share: null }
  const lines = csv({ ...flows, client_load: [null, null], server_load: [load, null] } as Flows).split('\r\n')
  const at = lines[0]!.split(',').indexOf('client_cpu')
  expect(lines[0]!.split(',').slice(at, at + 8)).toEqual([
    'client_cpu',
    'client_cpu_share',
    'client_memory_bytes',
    'client_memory_share',
    'server_cpu',
    'server_cpu_share',
    'server_memory_bytes',
    'server_memory_share',
  ])
  expect(lines[1]!.split(',').slice(at, at + 8)).toEqual(['', '', '', '', '0.45', '0.9', '64000000', ''])
})
