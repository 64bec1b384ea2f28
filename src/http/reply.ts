import type { IncomingMessage, ServerResponse } from 'node:http'
import { Turns } from '../core/turns.ts'
import { stringifyExactJson } from '../formats/json/exact-json.ts'

/** What a handler answers; dispatch.ts sends it. */
export interface Reply {
  readonly status: number
  readonly mediaType: string
  /** A text, pieces that are made while they are sent, or what sends the body itself and ends the response. */
  readonly body: string | Iterable<string> | ((response: ServerResponse) => Promise<void> | void)
  readonly headers?: Readonly<Record<string, string>>
}

export const JSON_MEDIA_TYPE = 'application/json'
const JSON_CONTENT_TYPE = `${JSON_MEDIA_TYPE}; charset=utf-8`
export const NDJSON_MEDIA_TYPE = 'application/x-ndjson'

/** Characters that are gathered before they are written. */
const PIECE_LENGTH = 64 * 1024
/** What is made in so much time, and fits into one piece, takes no turns with others. */
const QUICK_MS = 8

export function jsonReply(
  value: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Reply['headers'] } = {},
): Reply {
  return { status, mediaType: JSON_MEDIA_TYPE, body: stringifyExactJson(value), headers }
}

export async function sendReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  response.statusCode = reply.status
  if (reply.status !== 304) response.setHeader('Content-Type', contentTypeOf(reply))
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  if (typeof reply.body === 'function') return reply.body(response)
  if (typeof reply.body === 'string') return sendText(request, response, reply.body)
  if (request.method === 'HEAD') response.end()
  else await sendPieces(response, reply.body)
}

function contentTypeOf({ mediaType, body }: Reply): string {
  if (mediaType === JSON_MEDIA_TYPE && typeof body !== 'function') return JSON_CONTENT_TYPE
  const isText = /^text\/|\+json$|json$|yaml$/.test(mediaType)
  const needsCharset = isText && !mediaType.includes('charset') && typeof body !== 'function'
  return needsCharset ? `${mediaType}; charset=utf-8` : mediaType
}

function sendText(request: IncomingMessage, response: ServerResponse, text: string): void {
  response.setHeader('Content-Length', Buffer.byteLength(text))
  response.end(request.method === 'HEAD' ? undefined : text)
}

/**
 * Holds no more than one piece, waits for slow readers, lets others work in between, and stops when the client
 * is gone. Nothing is sent before the first piece is full, so that an early failure still becomes a problem document.
 */
async function sendPieces(response: ServerResponse, pieces: Iterable<string>): Promise<void> {
  let gathered: string[] = []
  let length = 0
  const turns = new Turns()
  const beganAt = performance.now()
  for (const piece of pieces) {
    gathered.push(piece)
    length += piece.length
    if (length >= PIECE_LENGTH) {
      const isFull = !response.write(gathered.join(''))
      gathered = []
      length = 0
      if (isFull) await drained(response)
    }
    const isLong = response.headersSent || performance.now() - beganAt > QUICK_MS
    if (isLong) await turns.take()
    if (response.destroyed) return
  }
  response.end(gathered.join(''))
}

function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}
