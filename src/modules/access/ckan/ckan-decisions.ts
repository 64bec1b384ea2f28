import { z } from 'zod'
import { CatalogError } from '../../../core/errors.ts'
import { isFresh } from '../../../core/is-fresh.ts'
import type { Log } from '../../../core/log.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { type CkanCredential, hashOf } from './ckan-callers.ts'

const YES_MS = 60_000
const NO_MS = 10_000
const REMEMBERED_MAX = 10_000
/** Look-ups at a time, and callers who wait for theirs. */
const AT_ONCE = 16
const WAITING_MAX = 1_000
const TIMEOUT_MS = 5_000
const RETRY_SECONDS = 5
const BYTES_MAX = 4 * 1024 * 1024

const Answer = z.looseObject({ success: z.boolean() })

export interface CkanQuestion {
  readonly credential: CkanCredential
  /** An action of CKAN's API that reads one thing, like `resource_show`. */
  readonly action: string
  readonly resourceId: string
}

export interface CkanDecisionsOptions {
  /** Without a slash at the end. */
  readonly address: string
  readonly nowMs: () => number
  readonly log: Log
  readonly atOnce?: number
  readonly waitingMax?: number
  readonly rememberedMax?: number
}

interface Remembered {
  readonly isAllowed: boolean
  readonly atMs: number
}

/**
 * What CKAN lets callers do, as it says itself: yes is remembered for a minute, no for ten seconds,
 * both by a hash of everything that the answer depends on.
 */
export class CkanDecisions {
  readonly #options: Required<CkanDecisionsOptions>
  readonly #remembered = new Map<string, Remembered>()
  readonly #asking = new Map<string, Promise<boolean>>()
  readonly #waiting: (() => void)[] = []
  #running = 0
  #isAway = false

  constructor(options: CkanDecisionsOptions) {
    const bounds = { atOnce: AT_ONCE, waitingMax: WAITING_MAX, rememberedMax: REMEMBERED_MAX }
    this.#options = { ...bounds, ...options }
  }

  /** How many answers are remembered. */
  get rememberedCount(): number {
    return this.#remembered.size
  }

  /** Throws `ckan-unavailable`, and `overloaded` if too many others wait for CKAN. */
  isAllowed(question: CkanQuestion): boolean | Promise<boolean> {
    const { credential, action, resourceId } = question
    const { authorization = null, 'x-ckan-api-key': apiKey = null } = credential
    const key = hashOf(JSON.stringify([authorization, apiKey, resourceId, action]))
    const known = this.#remembered.get(key)
    if (known !== undefined) {
      const lifeMs = known.isAllowed ? YES_MS : NO_MS
      if (isFresh(known.atMs, lifeMs, this.#options.nowMs())) return known.isAllowed
    }
    const asking = this.#asking.get(key) ?? this.#askOnce(key, question)
    return asking
  }

  #askOnce(key: string, question: CkanQuestion): Promise<boolean> {
    const asking = this.#inTurn(() => this.#ask(question))
      .then((isAllowed) => {
        this.#remember(key, isAllowed)
        return isAllowed
      })
      .finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return asking
  }

  #remember(key: string, isAllowed: boolean): void {
    this.#remembered.delete(key)
    if (this.#remembered.size >= this.#options.rememberedMax) {
      const [oldest = ''] = this.#remembered.keys()
      this.#remembered.delete(oldest)
    }
    this.#remembered.set(key, { isAllowed, atMs: this.#options.nowMs() })
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const { atOnce, waitingMax } = this.#options
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= waitingMax) throw tooMany()
      // Whoever is done passes its turn on.
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  async #ask({ credential, action, resourceId }: CkanQuestion): Promise<boolean> {
    const { address, log } = this.#options
    const url = `${address}/api/3/action/${action}?id=${encodeURIComponent(resourceId)}`
    try {
      const isAllowed = await answerOf(url, credential)
      if (this.#isAway) log.warn({}, `CKAN at ${address} answers again`)
      this.#isAway = false
      return isAllowed
    } catch (error) {
      // The error may have the credential in it.
      if (!this.#isAway) log.warn({}, `CKAN at ${address} cannot be asked: ${causeOf(error)}`)
      this.#isAway = true
      const detail = `CKAN could not be asked whether you may read the resource ${resourceId}`
      const facts = { retryAfterSeconds: RETRY_SECONDS }
      throw new ProblemError('ckan-unavailable', detail, { facts })
    }
  }
}

/** Only CKAN's own words count: pages of proxies in front of it say neither yes nor no. */
async function answerOf(url: string, credential: CkanCredential): Promise<boolean> {
  const response = await fetch(url, {
    redirect: 'error',
    headers: { Accept: 'application/json', ...credential },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const { success } = Answer.parse(JSON.parse(await textOf(response)))
  if (success && response.ok) return true
  if (!success && response.status >= 400 && response.status < 500 && response.status !== 429) {
    return false
  }
  throw new Error(`it answers ${response.status}`)
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes > BYTES_MAX) throw new Error(`it answers more than ${BYTES_MAX} bytes`)
  }
  return Buffer.concat(chunks).toString()
}

function causeOf(error: unknown): string {
  if (error instanceof SyntaxError || error instanceof z.ZodError) return 'its answer is no JSON'
  const { name, message, cause } = error as Error
  if (name === 'TimeoutError') return `no answer in ${TIMEOUT_MS} ms`
  const { code } = (cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? code : message === 'fetch failed' ? name : message.slice(0, 100)
}

function tooMany(): CatalogError {
  const detail = 'Too many callers wait for the answers of CKAN'
  return new CatalogError('overloaded', detail, { facts: { retryAfterSeconds: RETRY_SECONDS } })
}
