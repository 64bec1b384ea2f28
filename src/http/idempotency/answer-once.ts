import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { CatalogError } from '../../core/errors.ts'
import type { EventOrigin } from '../../core/event-origin.ts'
import { type AnswerKeeper, keyInUse, type ReplayRecord } from '../../core/replay.ts'
import { readAfter } from '../../core/unknown-state.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { Reply } from '../reply.ts'
import { Keeper, type KeyedRequest } from './keeper.ts'
import { KEPT_BYTES_MAX, readStored, replyOf, type StoredAnswer } from './kept-reply.ts'
import type { Replays } from './replays.ts'

/** How long a reservation lasts that its process does not renew. */
const RESERVED_MS = 30_000
const RENEW_MS = 10_000
const RETRY_AFTER_SECONDS_MAX = 5
/** Whoever is let in, or waits, may repeat the request. */
const NOT_FINAL: ReadonlySet<number> = new Set([401, 403, 408, 425, 429])

export interface AnswerOnceOptions {
  readonly replays: Replays
  readonly nowMs: () => number
  readonly newUuid: () => string
}

/** One request with a key, and how to respond to it. */
export interface OnceRequest {
  readonly request: IncomingMessage
  readonly keyed: KeyedRequest
  readonly origin: EventOrigin
  /** Executes the request. */
  work(keeper: AnswerKeeper): Promise<Reply>
  /** Rebuilds a response that was not stored verbatim. */
  rebuild(from: NonNullable<StoredAnswer['from']>, first: Reply): Promise<Reply>
  refusal(error: unknown): Reply
  /** Whether the caller was refused a privilege, be it by a 404 that hides the thing. */
  isForbidden(): boolean
}

export interface OnceUpload extends OnceRequest {
  readonly chunks: AsyncIterable<Uint8Array>
  upload(keeper: AnswerKeeper, chunks: AsyncIterable<Uint8Array>): Promise<Reply>
}

/**
 * Executes requests with a key once: a repeated request does nothing, and gets the first response.
 */
export class AnswerOnce {
  readonly #options: AnswerOnceOptions

  constructor(options: AnswerOnceOptions) {
    this.#options = options
  }

  /**
   * If this attempt fails because a duplicate of it came first, or because only the acknowledgement
   * was lost, returns the stored response.
   */
  async answer(once: OnceRequest): Promise<Reply> {
    const before = await this.#find(once.keyed)
    if (before !== undefined) return replay(once, before)
    return this.#attempt(once, new Keeper(this.#options, once), once.work)
  }

  /**
   * Like `answer`, for work whose effect is in no database transaction with its response: the key
   * is reserved meanwhile, so that a duplicate waits instead of having the effect again.
   */
  answerReserved(once: OnceRequest): Promise<Reply> {
    return this.#reserved(once, { replayed: (record) => replay(once, record), work: once.work })
  }

  /** Like `answerReserved`, for a body that is not read before the key is reserved. */
  answerUpload(once: Omit<OnceUpload, 'work'>): Promise<Reply> {
    return this.#reserved(once, {
      replayed: (record) => replayUpload(once, record),
      work: (keeper) =>
        once.upload(
          keeper,
          hashed(once.chunks, (bodyHash) => {
            keeper.bodyHash = bodyHash
          }),
        ),
    })
  }

  async #reserved(
    once: Omit<OnceRequest, 'work'>,
    {
      replayed,
      work,
    }: {
      readonly replayed: (record: ReplayRecord) => Promise<Reply> | Reply
      readonly work: (keeper: Keeper) => Promise<Reply>
    },
  ): Promise<Reply> {
    const { replays, nowMs, newUuid } = this.#options
    const owner = newUuid()
    const reservation = () => ({
      ...once.keyed,
      ...{ owner, nowMs: nowMs(), durationMs: RESERVED_MS },
    })
    const reserved = await replays.reserve(reservation())
    if (reserved.outcome === 'answered') return replayed(sameRequest(once.keyed, reserved.record))
    if (reserved.outcome === 'in-use') throw inUse(once.keyed, reserved, nowMs())
    const renewal = setInterval(() => {
      replays.renew(reservation()).catch((err) => {
        once.request.log.warn({ err }, 'the reservation of an idempotency key could not be renewed')
      })
    }, RENEW_MS)
    try {
      return await this.#attempt(once, new Keeper(this.#options, once, owner), work)
    } finally {
      clearInterval(renewal)
      // Has no effect on a stored response.
      await replays.release({ ...once.keyed, owner }).catch(() => undefined)
    }
  }

  /** The response to the same request of the same principal, if it was executed before. */
  async findAnswer(once: Omit<OnceRequest, 'work'>): Promise<Reply | undefined> {
    const before = await this.#options.replays.find(once.keyed)
    return before?.requestHash === once.keyed.requestHash ? replay(once, before) : undefined
  }

  async #attempt(
    once: Omit<OnceRequest, 'work'>,
    keeper: Keeper,
    work: (keeper: Keeper) => Promise<Reply>,
  ): Promise<Reply> {
    try {
      const reply = await work(keeper)
      await keeper.end(reply).catch((err) => {
        once.request.log.warn(
          { err },
          'the response to a request with an idempotency key could not be stored',
        )
      })
      return reply
    } catch (error) {
      if (hasLeft(once.request)) throw error
      const meanwhile = await readAfter(error, () => this.#find(once.keyed))
      if (meanwhile !== undefined) {
        if (isOtherBody(meanwhile, keeper.bodyHash)) throw reused(once.keyed)
        return replay(once, meanwhile)
      }
      const refusal = once.refusal(error)
      const isFinal = isFinalRefusal(refusal) && !once.isForbidden()
      if (isFinal && !isInUse(error)) await keeper.refused(refusal)
      return refusal
    }
  }

  /** Throws `idempotency-key-reused` if another request had the key. */
  async #find(keyed: KeyedRequest): Promise<ReplayRecord | undefined> {
    const record = await this.#options.replays.find(keyed)
    return record && sameRequest(keyed, record)
  }
}

/** Returns the record. Throws `idempotency-key-reused` if it is of another request. */
function sameRequest(keyed: KeyedRequest, record: ReplayRecord): ReplayRecord {
  if (record.requestHash !== keyed.requestHash) throw reused(keyed)
  return record
}

/** Whether a repeated request must get the same refusal. */
export function isFinalRefusal({ status }: Reply): boolean {
  return status >= 400 && status < 500 && !NOT_FINAL.has(status)
}

/** Whether another request has the key for now. */
function isInUse(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'idempotency-key-in-use'
}

/** Whether the client left before the end of its body. */
function hasLeft(request: IncomingMessage): boolean {
  return request.destroyed && !request.complete
}

function replay(once: Pick<OnceRequest, 'rebuild'>, record: ReplayRecord): Promise<Reply> | Reply {
  const stored = readStored(record.body)
  const reply = replyOf(record.status, stored)
  return stored.from === undefined ? reply : once.rebuild(stored.from, reply)
}

/** Reads only enough of the body to compare a short one with that of the first request. */
async function replayUpload(
  once: Pick<OnceUpload, 'rebuild' | 'chunks' | 'keyed'>,
  record: ReplayRecord,
): Promise<Reply> {
  const bodyHash = record.bodyHash === null ? null : await hashOfShort(once.chunks)
  if (isOtherBody(record, bodyHash)) throw reused(once.keyed)
  return replay(once, record)
}

function isOtherBody({ bodyHash: first }: ReplayRecord, bodyHash: string | null): boolean {
  return first !== null && bodyHash !== null && first !== bodyHash
}

async function hashOfShort(chunks: AsyncIterable<Uint8Array>): Promise<string | null> {
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > KEPT_BYTES_MAX) return null
    hash.update(chunk)
  }
  return hash.digest('base64url')
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  onEnd: (bodyHash: string) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
  onEnd(hash.digest('base64url'))
}

function reused({ key }: KeyedRequest): ProblemError {
  return new ProblemError(
    'idempotency-key-reused',
    `Idempotency-Key ${key} belongs to another request: send this one with a new key`,
  )
}

/** Whichever request it is: what becomes of the key is known when the first one ends. */
function inUse(
  keyed: KeyedRequest,
  { expiresAtMs }: { readonly expiresAtMs: number },
  nowMs: number,
): CatalogError {
  const secondsLeft = Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1000))
  return keyInUse(keyed, Math.min(secondsLeft, RETRY_AFTER_SECONDS_MAX))
}
