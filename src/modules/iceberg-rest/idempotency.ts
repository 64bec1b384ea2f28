import { createHash } from 'node:crypto'
import type { Stores } from '../../catalog/catalog.ts'
import type { ReplayRecord } from '../../catalog/replay-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { parseUuid } from '../../core/value/bytes-text.ts'
import { parseExactJson, stringifyExactJson } from '../../formats/json/exact-json.ts'
import type { Dependencies } from '../../lake/lake.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { AnswerKeeper, KeptAnswer } from './kept-answer.ts'

/** How long a client may repeat a request, as it is advertised (ISO 8601). */
export const IDEMPOTENCY_KEY_LIFETIME = 'PT1H'
const LIFETIME_MS = 3600 * 1000
/** For clocks that differ and repetitions on their way. */
const GRACE_MS = 300 * 1000

export interface KeyedRequest {
  readonly key: string
  /** Of method, address and body: the same key on another request is a mistake of the client. */
  readonly requestHash: string
}

/** Throws `request-invalid` unless the key is a UUID; of any version, for clients send random ones, too. */
export function keyedRequest(key: string, parts: readonly (string | Uint8Array)[]): KeyedRequest {
  if (parseUuid(key.toLowerCase()) === undefined) {
    throw new CatalogError('request-invalid', 'Invalid Idempotency-Key: it is not a UUID')
  }
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return { key: key.toLowerCase(), requestHash: hash.digest('base64url') }
}

/** The answer that the request had before. Throws `idempotency-key-reused` when another request had the key. */
export async function findKeptAnswer(
  { catalog }: Stores<'replays'>,
  { key, requestHash }: KeyedRequest,
): Promise<KeptAnswer | undefined> {
  const record = await catalog.replays.find(key)
  if (record === undefined) return undefined
  if (record.requestHash !== requestHash) {
    throw new ProblemError(
      'idempotency-key-reused',
      `Idempotency-Key ${key} belongs to another request`,
    )
  }
  return parseExactJson(record.body) as KeptAnswer
}

/** Of requests without a key. */
export const KEEPS_NOTHING: AnswerKeeper = {
  withEffect: () => ({}),
  withoutEffect: () => Promise.resolve(),
}

export function answerKeeper(
  { catalog, ambient }: Stores<'replays'> & Pick<Dependencies, 'ambient'>,
  request: KeyedRequest,
): AnswerKeeper {
  const record = (answer: KeptAnswer): ReplayRecord => ({
    ...request,
    status: statusOf(answer),
    body: stringifyExactJson(answer),
    expiresAtMs: ambient.nowMs() + LIFETIME_MS + GRACE_MS,
  })
  return {
    withEffect: (answer) => ({ replay: record(answer) }),
    withoutEffect: (answer) => catalog.replays.remember(record(answer)),
  }
}

/** Those whose lifetime is over. Answers how many. */
export function forgetOldReplays({
  catalog,
  ambient,
}: Stores<'replays'> & Pick<Dependencies, 'ambient'>): Promise<number> {
  return catalog.replays.forget(ambient.nowMs())
}

function statusOf(answer: KeptAnswer): number {
  if (answer.kind === 'json') return answer.status
  return answer.kind === 'empty' ? 204 : 200
}
