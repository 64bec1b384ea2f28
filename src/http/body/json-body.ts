import type { IncomingMessage } from 'node:http'
import { Turns } from '../../core/turns.ts'
import { parseExactJson } from '../../formats/json/exact-json.ts'
import { JsonCensus } from '../../formats/json/json-census.ts'
import { JsonPieces } from '../../formats/json/json-pieces.ts'
import { ProblemError } from '../../problem/problems.ts'
import { type BodyLimits, requireWithin } from '../body-limits.ts'
import type { BodyShare } from './body-memory.ts'
import { foreignKindOf } from './foreign-bytes.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import { findJsonFault, SEARCHED_LENGTH_MAX } from './json-fault.ts'
import { storableSteps } from './storable-text.ts'

/** Time for the whole body, so that a slow sender does not hold a request open for ever. */
export const BODY_MS_MAX = 120_000
/**
 * How much of a refused body is still read and discarded, so that the client sees the refusal.
 */
const DRAIN_BYTES_MAX = 64 * 1024 * 1024
const SPACE = 0x20
const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
const ASCII_MAX = 0x7f

/**
 * JSON with exact 64-bit integers, from bytes that `readBody` found within the limits; `undefined`
 * if there are none.
 */
export function parseJsonBody(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined
  const text = decodeUtf8(bytes)
  const value = withFault(text, () => parseExactJson(text, { depthMax: Number.POSITIVE_INFINITY }))
  if (text.includes('\\u')) for (const _step of storableSteps(value));
  return value
}

/** Does the same with a long body, and lets others have turns. */
export async function parseLongJsonBody(bytes: Uint8Array): Promise<unknown> {
  const turns = new Turns()
  await turns.take()
  const text = decodeUtf8(bytes)
  await turns.take()
  const pieces = withFault(text, () => new JsonPieces(text))
  while (withFault(text, () => pieces.readPiece())) await turns.take()
  const { value } = pieces
  if (text.includes('\\u')) for (const _step of storableSteps(value)) await turns.take()
  return value
}

/**
 * Chunks of the body. Ending the iteration early keeps the connection, so that a refusal can still
 * be sent.
 */
export function bodyChunks(request: IncomingMessage): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false })
}

export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length ?? '0') !== '0'
}

/** Discards the rest of a refused body, up to a bound; then the connection is closed. */
export function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let drained = 0
  request.on('data', (chunk: Uint8Array) => {
    drained += chunk.length
    if (drained > DRAIN_BYTES_MAX) request.destroy()
  })
  request.on('error', () => undefined)
  request.resume()
}

export interface BodyReading {
  readonly limits: BodyLimits
  /** Held until the caller releases it. */
  readonly share: BodyShare
  /** Called before the first byte. */
  onStart(): void
}

/**
 * The whole body, if it is within the limits and there is memory for it. Uses listeners, since a
 * stream's iterator costs more than reading most bodies.
 */
export function readBody(
  request: IncomingMessage,
  { limits, share, onStart }: BodyReading,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const body = new GatheredBytes()
    const census = new JsonCensus()
    let first: number | undefined
    const announced = Number(request.headers['content-length'] ?? 0)
    requireWithin(limits, { bytes: announced, census })
    share.requireRoom(announced)
    const deadline = setTimeout(() => request.destroy(), BODY_MS_MAX)
    const leave = () => {
      clearTimeout(deadline)
      request.off('data', onData).off('end', onEnd).off('error', onFailure).off('close', onFailure)
    }
    const onData = (chunk: Uint8Array) => {
      census.take(chunk)
      first ??= chunk.find((byte) => byte > SPACE)
      try {
        if (census.values > limits.valuesMax) requireContainer(first)
        requireWithin(limits, { bytes: body.size + chunk.length, census })
        share.take(chunk.length)
        body.add(chunk)
      } catch (error) {
        leave()
        request.pause()
        reject(error)
      }
    }
    const onEnd = () => {
      leave()
      resolve(body.joined())
    }
    const onFailure = (error?: Error) => {
      leave()
      reject(error ?? new Error('the client disconnected before the end of the body'))
    }
    if (request.destroyed) return onFailure()
    onStart()
    request.on('data', onData).on('end', onEnd).on('error', onFailure).on('close', onFailure)
  })
}

/** Commas count as values, whatever the text is: CSV would be refused for its size. */
function requireContainer(first: number | undefined): void {
  if (first === undefined || first === OPEN_BRACE || first === OPEN_BRACKET) return
  // Maybe a byte order mark.
  if (first > ASCII_MAX) return
  const detail =
    'not JSON at position 0: expected an object or an array; CSV is sent as text/csv, ' +
    'NDJSON as application/x-ndjson'
  throw new ProblemError('body-invalid', detail)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch (cause) {
    const kind = foreignKindOf(bytes) ?? 'is not UTF-8'
    throw new ProblemError('body-invalid', `the body ${kind}`, { cause })
  }
}

/** Tells where the text stops being JSON, if `parse` finds that it does. */
function withFault<T>(text: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    const fault = findJsonFault(text)
    if (fault === undefined) throw new ProblemError('body-invalid', withoutPlace(text), { cause })
    const { position, line, column, expected } = fault
    throw new ProblemError(
      'body-invalid',
      `not JSON at position ${position} (line ${line}, column ${column}): expected ${expected}`,
      { facts: { position, line, column, expected }, cause },
    )
  }
}

function withoutPlace({ length }: string): string {
  return length > SEARCHED_LENGTH_MAX
    ? `not JSON, at some place after its first ${SEARCHED_LENGTH_MAX} characters`
    : 'not JSON that can be read'
}
