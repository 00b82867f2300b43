import { layout, type Request } from './layout.ts'

export interface Order extends Request {
  ticket: number
}

self.onmessage = (e: MessageEvent<Order>) => {
  self.postMessage({ ticket: e.data.ticket, positions: layout(e.data) })
}
