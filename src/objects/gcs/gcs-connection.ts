import { type File, IdempotencyStrategy, Storage } from '@google-cloud/storage'
import { MARK, type ObjectState } from '../bucket/bucket-client.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'

const REQUEST_MS_MAX = 60_000

export interface GcsOptions {
  /** The address of an emulator, or a private one of Google; the public one without. */
  readonly endpoint: string | undefined
  /** Whether that address is given tokens of the credentials, as Google's own is. */
  readonly sendsTokens?: boolean
  /** Absolute paths of keys; the library looks for its own defaults without. */
  readonly readKeyFile: string | undefined
  readonly writeKeyFile: string | undefined
}

/** One user's part of the library. */
export function connectGcs({
  endpoint,
  sendsTokens = false,
  keyFile,
  maxRetries,
  ownLifeLeftMs,
}: Pick<GcsOptions, 'endpoint' | 'sendsTokens'> & {
  readonly keyFile: string | undefined
  readonly maxRetries: number
  /** How much of its life a token of the user has left at least, where it is not the usual. */
  readonly ownLifeLeftMs?: number
}): Storage {
  const storage = new Storage({
    ...(endpoint !== undefined && {
      apiEndpoint: endpoint,
      projectId: 'moraine',
      useAuthWithCustomEndpoint: sendsTokens,
    }),
    ...(keyFile !== undefined && { keyFilename: keyFile }),
    ...(ownLifeLeftMs !== undefined && {
      clientOptions: { eagerRefreshThresholdMillis: ownLifeLeftMs },
    }),
    timeout: REQUEST_MS_MAX,
    retryOptions: {
      autoRetry: maxRetries > 0,
      maxRetries,
      idempotencyStrategy: IdempotencyStrategy.RetryConditional,
    },
  })
  // Uploads in parts give tokens to addresses of this domain only, whatever else they are told.
  if (endpoint !== undefined && sendsTokens) storage.universeDomain = new URL(endpoint).hostname
  return storage
}

export function fileOf(storage: Storage, { bucket, key }: BucketPlace): File {
  return storage.bucket(bucket).file(key)
}

export function gcsStateOf(found: File['metadata']): ObjectState {
  const { size, generation, timeCreated } = found
  if (size === undefined || generation === undefined || timeCreated === undefined) {
    throw new Error('the store does not tell size, generation and time of an object')
  }
  // As exact as in the headers of an answer.
  const modifiedAtMs = Math.floor(Date.parse(timeCreated) / 1_000) * 1_000
  const mark = found.metadata?.[MARK]
  return {
    ...{ sizeBytes: Number(size), version: String(generation), modifiedAtMs },
    mark: typeof mark === 'string' ? mark : undefined,
  }
}
