import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { standardMembers } from '../problem.ts'
import { LINE_END, PROBLEM_MEDIA_TYPE } from '../reply.ts'

export interface UploadPace {
  /** How often each upload is looked at. */
  readonly periodMs: number
  /** How much must arrive in each period. */
  readonly bytesMin: number
}

/** About a kilobyte a second: slower than any link, and enough to end what trickles. */
export const UPLOAD_PACE: UploadPace = { periodMs: 60_000, bytesMin: 64 * 1024 }

interface Upload {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What its connection had brought when it was looked at; `undefined` before the first look. */
  bytesRead?: number
}

/**
 * Ends requests whose body arrives too slowly: one byte now and then is not idle, and would stay
 * open for ever. The time that the service itself takes to read does not count. Returns a function
 * that stops the watch.
 */
export function endSlowUploads(server: Server, { periodMs, bytesMin }: UploadPace): () => void {
  // Not by connection: a request before it may still be without its response.
  const uploads = new Set<Upload>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.complete) return
    const upload = { request, response }
    uploads.add(upload)
    const forget = () => uploads.delete(upload)
    request.once('end', forget)
    response.once('close', forget)
  })
  const timer = setInterval(() => {
    for (const upload of uploads) {
      const { request, bytesRead } = upload
      upload.bytesRead = request.socket.bytesRead
      const isNew = bytesRead === undefined
      const isOurTurn = request.readableLength > 0
      if (isNew || request.complete || isOurTurn) continue
      if (upload.bytesRead - bytesRead >= bytesMin) continue
      uploads.delete(upload)
      end(upload, { periodMs, bytesMin })
    }
  }, periodMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** The body is not read to its end, so only the connection can carry the reason. */
function end({ request, response }: Upload, { periodMs, bytesMin }: UploadPace): void {
  const { socket } = request
  // Without its socket, it waits for the response before it, which this one must not be taken for.
  if (response.headersSent || response.socket === null) return void socket.destroy()
  const detail =
    `the body arrives too slowly: less than ${bytesMin} bytes in ${periodMs / 1000} seconds; ` +
    'send it again over a faster connection'
  const problem = standardMembers('upload-too-slow', { detail, instance: String(request.id) })
  const body = JSON.stringify(problem) + LINE_END
  const head = [
    'HTTP/1.1 408 Request Timeout',
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${request.id}`,
    'Connection: close',
  ]
  request.log?.warn({ periodMs, bytesMin }, 'a body arrived too slowly')
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
