import { expect, test } from 'vitest'
import { endTitle } from './ends.ts'

test.each([
  [{ 'k8s.pod.name': 'reviews-1', 'k8s.workload.name': 'reviews', 'k8s.container.name': 'app' }, 'reviews-1 / app'],
  [{ 'k8s.workload.name': 'reviews', 'service.name': 'web' }, 'reviews'],
  [{ 'service.name': 'web', 'k8s.container.name': 'web' }, 'web'],
  [{ 'k8s.container.name': 'app' }, 'app'],
  [{ 'process.executable.name': 'sshd', 'netconn.systemd.unit': 'ssh.service' }, 'ssh.service'],
  [{ 'netconn.name': 'object store', 'netconn.type': 'public' }, 'object store'],
  [{ 'netconn.domain': 's3.example', 'network.address': '192.0.2.1', 'netconn.type': 'public' }, 's3.example'],
  [{ 'network.address': '192.0.2.1', 'netconn.type': 'public' }, '192.0.2.1'],
  [{ 'netconn.type': 'public' }, 'public addresses'],
  [{ 'netconn.type': 'unknown' }, 'unknown'],
  [{ 'host.name': 'n1' }, 'unknown'],
  [{}, 'unknown'],
])('%j is called %s', (end, want) => expect(endTitle(end as unknown as Record<string, string>)).toBe(want))
