import type { IncomingMessage, Server, ServerResponse } from 'node:http'

export interface ReaderPace {
  /** How often each response is looked at. */
  readonly lookMs: number
  /** At so many looks bytes wait for their reader, before it is judged; */
  readonly looks: number
  /** and from the first to the last of them it must have taken so many. */
  readonly bytesMin: number
}

/**
 * About a kilobyte a second: slower than any link, and enough to end what trickles. The kernel
 * takes bytes of slow readers some hundred kilobytes at a time.
 */
export const READER_PACE: ReaderPace = { lookMs: 5_000, looks: 48, bytesMin: 256 * 1024 }

interface Reading {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What it had taken when it was judged last. */
  takenBytes: number
  /** Looks since then at which bytes waited for it. */
  looks: number
}

/**
 * Ends responses that are read too slowly: one byte now and then is not idle, and what they hold
 * would be held for ever. The time in which nothing waits for the reader does not count. Returns a
 * function that stops the watch.
 */
export function endSlowReaders(server: Server, pace: ReaderPace): () => void {
  const readings = new Set<Reading>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const reading = { request, response, takenBytes: 0, looks: 0 }
    readings.add(reading)
    response.once('close', () => readings.delete(reading))
  })
  const timer = setInterval(() => {
    for (const reading of readings) if (isTooSlow(reading, pace)) end(reading, pace)
  }, pace.lookMs)
  timer.unref()
  return () => clearInterval(timer)
}

function isTooSlow(reading: Reading, { looks, bytesMin }: ReaderPace): boolean {
  // Without its socket, it waits for the response before it.
  const { socket } = reading.response
  if (socket === null || socket.writableLength === 0) return false
  const takenBytes = socket.bytesWritten - socket.writableLength
  if (reading.looks === 0) reading.takenBytes = takenBytes
  if (++reading.looks <= looks) return false
  reading.looks = 0
  return takenBytes - reading.takenBytes < bytesMin
}

function end({ request, response }: Reading, pace: ReaderPace): void {
  request.log?.warn({ ...pace }, 'a response was read too slowly')
  // A reset also frees the kernel's buffers.
  response.socket?.resetAndDestroy()
}
