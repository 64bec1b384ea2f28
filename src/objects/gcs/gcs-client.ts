import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type File, IdempotencyStrategy, Storage } from '@google-cloud/storage'
import type {
  Attempt,
  BucketClient,
  ByteRange,
  ListedPage,
  MarkedAttempt,
  ObjectBody,
  ObjectState,
  StoreFault,
} from '../bucket/bucket-client.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { explainGcsError } from './gcs-error.ts'

const MARK = 'moraine-write'
/** Kept in memory until the store has it; a multiple of 256 KiB. */
const PART_BYTES = 16 * 1024 * 1024
const PART_TRIES = 5
const PAGE_OBJECTS = 1_000
const REQUEST_MS_MAX = 60_000
const RANGE_TOTAL = /\/(\d+)$/

export interface GcsOptions {
  /** The address of an emulator; Google's own without. */
  readonly endpoint: string | undefined
  /** Absolute paths of keys; the library looks for its own defaults without. */
  readonly readKeyFile: string | undefined
  readonly writeKeyFile: string | undefined
}

/** Google Cloud Storage by its own library. */
export class GcsBucketClient implements BucketClient {
  readonly #reader: Storage
  readonly #writer: Storage
  /** Tries parts of uploads again by itself. */
  readonly #uploader: Storage

  constructor({ endpoint, readKeyFile, writeKeyFile }: GcsOptions) {
    const open = (keyFilename: string | undefined, maxRetries: number) =>
      new Storage({
        ...(endpoint !== undefined && {
          apiEndpoint: endpoint,
          projectId: 'moraine',
          useAuthWithCustomEndpoint: false,
        }),
        ...(keyFilename !== undefined && { keyFilename }),
        timeout: REQUEST_MS_MAX,
        retryOptions: {
          autoRetry: maxRetries > 0,
          maxRetries,
          idempotencyStrategy: IdempotencyStrategy.RetryConditional,
        },
      })
    this.#reader = open(readKeyFile, 0)
    this.#writer = open(writeKeyFile, 0)
    this.#uploader = open(writeKeyFile, PART_TRIES)
  }

  async head(place: BucketPlace): Promise<ObjectState> {
    const [found] = await fileOf(this.#reader, place).getMetadata()
    return { ...stateOf(found), mark: markOf(found.metadata) }
  }

  async get(
    place: BucketPlace,
    { signal, range, version }: Attempt & { range?: ByteRange; version?: string },
  ): Promise<ObjectBody> {
    const file = fileOf(this.#reader, place, version)
    // As it is stored, also where that is compressed: of those bytes the size is told.
    const chunks = file.createReadStream({ ...rangeOf(range), decompress: false })
    const headers = await headersOf(chunks, signal)
    const total = RANGE_TOTAL.exec(headers['content-range'] ?? '')?.[1]
    return {
      ...{ sizeBytes: Number(total ?? headers['content-length']), chunks },
      version: headers['x-goog-generation'] ?? '',
      modifiedAtMs: Date.parse(headers['last-modified'] ?? ''),
    }
  }

  async list(
    bucket: string,
    prefix: string,
    { page }: Attempt & { page?: string },
  ): Promise<ListedPage> {
    const [files, , answer] = await this.#reader.bucket(bucket).getFiles({
      ...{ prefix, maxResults: PAGE_OBJECTS, autoPaginate: false },
      ...(page !== undefined && { pageToken: page }),
    })
    const objects = files.map(({ name, metadata }) => ({ key: name, ...stateOf(metadata) }))
    const { nextPageToken } = answer as { readonly nextPageToken?: string }
    return { objects, next: nextPageToken }
  }

  async put(place: BucketPlace, bytes: Uint8Array, { mark }: MarkedAttempt): Promise<void> {
    await fileOf(this.#writer, place).save(Buffer.from(bytes), {
      ...created(mark),
      resumable: false,
    })
  }

  async putStream(
    place: BucketPlace,
    chunks: AsyncIterable<Uint8Array>,
    { mark }: MarkedAttempt,
  ): Promise<void> {
    const upload = fileOf(this.#uploader, place).createWriteStream({
      ...created(mark),
      ...{ resumable: true, chunkSize: PART_BYTES },
    })
    await pipeline(Readable.from(chunks, { objectMode: false }), upload)
  }

  async copy(from: BucketPlace, to: BucketPlace, { mark }: MarkedAttempt): Promise<void> {
    await fileOf(this.#writer, from).copy(fileOf(this.#writer, to), {
      ...{ metadata: { [MARK]: mark }, preconditionOpts: { ifGenerationMatch: 0 } },
    })
  }

  async delete(place: BucketPlace, { version }: Attempt & { version?: string }): Promise<void> {
    await fileOf(this.#writer, place).delete({
      ...(version !== undefined && { ifGenerationMatch: version }),
    })
  }

  /** The store gives them up by itself, after a week. */
  async abortUploads(): Promise<number> {
    return 0
  }

  explain(error: unknown): StoreFault | undefined {
    return explainGcsError(error)
  }

  close(): void {}
}

function fileOf(storage: Storage, { bucket, key }: BucketPlace, generation?: string): File {
  return storage.bucket(bucket).file(key, { ...(generation !== undefined && { generation }) })
}

function created(mark: string) {
  return {
    preconditionOpts: { ifGenerationMatch: 0 },
    metadata: { metadata: { [MARK]: mark } },
    validation: 'crc32c',
  } as const
}

function rangeOf(range: ByteRange | undefined) {
  if (range === undefined) return {}
  if ('lastBytes' in range) return { end: -range.lastBytes }
  return { start: range.offset, end: range.offset + range.lengthBytes - 1 }
}

function stateOf(found: File['metadata']): ObjectState {
  const { size, generation, timeCreated } = found
  if (size === undefined || generation === undefined || timeCreated === undefined) {
    throw new Error('the store does not tell size, generation and time of an object')
  }
  // As exact as in the headers of an answer.
  const modifiedAtMs = Math.floor(Date.parse(timeCreated) / 1_000) * 1_000
  return { sizeBytes: Number(size), version: String(generation), modifiedAtMs }
}

function markOf(metadata: File['metadata']['metadata']): string | undefined {
  const mark = metadata?.[MARK]
  return typeof mark === 'string' ? mark : undefined
}

/** Begins the request. Throws what the store answers in place of the object. */
function headersOf(
  chunks: Readable,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string | undefined>>> {
  return new Promise((resolve, reject) => {
    chunks.once('error', reject)
    signal.addEventListener('abort', () => chunks.destroy(new Error('aborted')), { once: true })
    chunks.once('response', (response: { statusCode: number; toJSON(): { headers: object } }) => {
      // A refusal comes as an error, when its text was read.
      if (response.statusCode < 300) resolve(response.toJSON().headers as Record<string, string>)
    })
    chunks.read(0)
  })
}
