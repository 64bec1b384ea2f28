import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Turns } from '../core/turns.ts'
import { stringifyExactJson } from '../formats/json/exact-json.ts'

/** The response of a handler, sent by the pipeline. */
export interface Reply {
  readonly status: number
  /** Media type of the body, if there is one. */
  readonly mediaType?: string
  /**
   * A text, pieces that are made while they are sent, bytes that are read while they are, or a
   * function that sends the body itself and ends the response.
   */
  readonly body?:
    | string
    | Iterable<string>
    | BytePieces
    | ByteStream
    | ((response: ServerResponse) => Promise<void> | void)
  readonly headers?: Readonly<Record<string, string>>
  /** Whether it has secrets, so that it is not stored for a repeated request. */
  readonly isSecret?: boolean
}

/** UTF-8 in pieces that other responses may share. */
export interface BytePieces {
  readonly pieces: readonly Uint8Array[]
}

/** UTF-8 that is read as fast as the reader takes it, and not at all for HEAD. */
export interface ByteStream {
  readonly bytes: number
  /** A reader that takes longer for all of it is cut off. */
  readonly sentWithinMs?: number
  chunks(): AsyncIterable<Uint8Array>
}

export const JSON_MEDIA_TYPE = 'application/json'
const JSON_CONTENT_TYPE = `${JSON_MEDIA_TYPE}; charset=utf-8`
export const PROBLEM_MEDIA_TYPE = 'application/problem+json'
const IS_JSON = /^application\/(?:problem\+)?json$/
/** After JSON, so that a terminal shows its prompt on a line of its own. */
export const LINE_END = '\n'
export const NDJSON_MEDIA_TYPE = 'application/x-ndjson'

/** Characters to gather before writing. */
const PIECE_LENGTH = 64 * 1024
/** Time after which a body lets other work run in between. */
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
  const { status, mediaType, body, headers = {} } = reply
  response.statusCode = status
  if (mediaType !== undefined && status !== 304) {
    response.setHeader('Content-Type', contentTypeOf(mediaType, body))
  }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, sendable(value))
  if (body === undefined) return void response.end()
  if (typeof body === 'function') return body(response)
  const end = mediaType !== undefined && IS_JSON.test(mediaType) ? LINE_END : ''
  if (typeof body === 'string') return sendText(request, response, body + end)
  if ('pieces' in body) return sendBytes(request, response, { pieces: body.pieces, end })
  if ('chunks' in body) return sendStream(request, response, { ...body, end })
  if (request.method === 'HEAD') response.end()
  else await sendPieces(response, { pieces: body, end })
}

/** Node refuses other characters, which would make a 500 of every such response. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]+/g

function sendable(value: string): string {
  return value.replace(UNSENDABLE, (text) => encodeURIComponent(text.toWellFormed()))
}

function contentTypeOf(mediaType: string, body: Reply['body']): string {
  // Problem documents have no charset parameter (RFC 9457).
  if (mediaType === PROBLEM_MEDIA_TYPE) return mediaType
  if (mediaType === JSON_MEDIA_TYPE && typeof body !== 'function') return JSON_CONTENT_TYPE
  const isText = /^text\/|\+json$|json$|yaml$/.test(mediaType)
  const needsCharset = isText && !mediaType.includes('charset') && typeof body !== 'function'
  return needsCharset ? `${mediaType}; charset=utf-8` : mediaType
}

function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
): Promise<void> | void {
  const length = Buffer.byteLength(text)
  response.setHeader('Content-Length', length)
  if (request.method === 'HEAD') return void response.end()
  return length <= PIECE_LENGTH
    ? void response.end(text)
    : sendSlices(response, [Buffer.from(text)], '')
}

/** Pieces are shared with other readers. */
function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { pieces, end }: BytePieces & { readonly end: string },
): Promise<void> | void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, end.length)
  response.setHeader('Content-Length', length)
  if (request.method === 'HEAD') return void response.end()
  return sendSlices(response, pieces, end)
}

/** Each slice waits for the reader to take the one before: so it is seen how fast it reads. */
async function sendSlices(
  response: ServerResponse,
  pieces: readonly Uint8Array[],
  end: string,
): Promise<void> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += PIECE_LENGTH) {
      const isFull = !response.write(piece.subarray(at, at + PIECE_LENGTH))
      if (isFull && response.writableLength >= PIECE_LENGTH) await drained(response)
      if (response.destroyed) return
    }
  }
  response.end(end)
}

async function sendStream(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, sentWithinMs, chunks, end }: ByteStream & { readonly end: string },
): Promise<void> {
  response.setHeader('Content-Length', bytes + end.length)
  if (request.method === 'HEAD') return void response.end()
  const whole = async function* () {
    yield* chunks()
    if (end !== '') yield end
  }
  const cut = () => response.socket?.resetAndDestroy()
  const timer = sentWithinMs === undefined ? undefined : setTimeout(cut, sentWithinMs).unref()
  // A reader that leaves is no failure.
  await pipeline(whole, response)
    .catch((error) => {
      if (!response.destroyed) throw error
    })
    .finally(() => clearTimeout(timer))
}

/**
 * Holds at most one piece, waits for slow readers, lets other work run in between, and stops if the
 * client disconnects. Sends nothing before the first piece is full, so that an early failure still
 * becomes a problem document.
 */
async function sendPieces(
  response: ServerResponse,
  { pieces, end }: { readonly pieces: Iterable<string>; readonly end: string },
): Promise<void> {
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
  response.end(gathered.join('') + end)
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
