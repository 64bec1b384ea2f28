import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CRC32C, type Storage } from '@google-cloud/storage'
import {
  type Attempt,
  type BucketClient,
  type ListedPage,
  type LongCopy,
  MARK,
  type MarkedAttempt,
  type ObjectBody,
  type ObjectState,
  type StoreFault,
  type UploadsPage,
} from '../bucket/bucket-client.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { type ByteRange, rangeHeader, requireRange, totalBytes } from '../bucket/bucket-range.ts'
import { GcsAccount } from './gcs-account.ts'
import { connectGcs, fileOf, type GcsOptions, gcsStateOf } from './gcs-connection.ts'
import { explainGcsError, OTHER_CHECKSUM } from './gcs-error.ts'
import { GcsHttp } from './gcs-http.ts'

/** Kept in memory until the store has it; a multiple of 256 KiB. */
const PART_BYTES = 16 * 1024 * 1024
const PART_TRIES = 5
const PAGE_OBJECTS = 1_000
const LOOK_MS_MAX = 15_000
const PRECONDITION_FAILED = 412
const CRC32C_HASH = /crc32c=([^,]+)/

/**
 * Google Cloud Storage: uploads in parts and long copies by its own library, which tries each part
 * again; what is one request by its JSON API, since the library ends none.
 */
export class GcsBucketClient implements BucketClient {
  /** As large as objects are: 5 TiB. */
  readonly streamBytesMax = 5 * 1024 ** 4
  readonly #http = new GcsHttp()
  readonly #reader: GcsAccount
  readonly #writer: GcsAccount
  readonly #uploader: Storage

  constructor(options: GcsOptions) {
    const { readKeyFile, writeKeyFile, ...place } = options
    this.#reader = new GcsAccount(options, readKeyFile, this.#http)
    this.#writer = new GcsAccount(options, writeKeyFile, this.#http)
    this.#uploader = connectGcs({ ...place, keyFile: writeKeyFile, maxRetries: PART_TRIES })
  }

  async head(place: BucketPlace, attempt: Attempt): Promise<ObjectState> {
    return gcsStateOf(await this.#reader.head(place, attempt))
  }

  async get(
    place: BucketPlace,
    { signal, range, version }: Attempt & { range?: ByteRange; version?: string },
  ): Promise<ObjectBody> {
    const headers = {
      ...(range !== undefined && { range: rangeHeader(range) }),
      // Or the store decompresses what its writer has told to be gzip: other bytes, without ranges.
      'accept-encoding': 'gzip',
    }
    const query = { generation: version }
    const response = await this.#reader
      .open(place, { query, headers, signal })
      .catch(async (error: unknown) => {
        if (version !== undefined) await this.#requireVersion(place, version, signal)
        throw error
      })
    const told = response.headers as Readonly<Record<string, string | undefined>>
    const crc32c = CRC32C_HASH.exec(told['x-goog-hash'] ?? '')?.[1]
    const isChecked = range === undefined && crc32c !== undefined
    const contentRange = told['content-range']
    const sizeBytes = totalBytes(contentRange) ?? Number(told['content-length'])
    try {
      requireRange(range, { contentRange, sizeBytes })
    } catch (error) {
      response.destroy()
      throw error
    }
    return {
      sizeBytes,
      version: told['x-goog-generation'] ?? '',
      modifiedAtMs: Date.parse(told['last-modified'] ?? ''),
      chunks: isChecked ? Readable.from(checked(response, crc32c)) : response,
    }
  }

  /** Asked for by its generation, an object that was replaced is not there. */
  async #requireVersion(place: BucketPlace, version: string, signal: AbortSignal): Promise<void> {
    const found = await this.head(place, { signal }).catch(() => undefined)
    if (found === undefined || found.version === version) return
    throw Object.assign(new Error('the object was replaced'), { code: PRECONDITION_FAILED })
  }

  async list(
    bucket: string,
    prefix: string,
    { page, ...attempt }: Attempt & { page?: string },
  ): Promise<ListedPage> {
    const query = { prefix, maxResults: PAGE_OBJECTS, pageToken: page }
    const { items = [], nextPageToken } = await this.#reader.list(bucket, query, attempt)
    const objects = items.map((item) => ({ key: item.name, ...gcsStateOf(item) }))
    return { objects, next: nextPageToken }
  }

  put(place: BucketPlace, bytes: Uint8Array, attempt: MarkedAttempt): Promise<void> {
    return this.#writer.create(place, bytes, attempt)
  }

  async putStream(
    place: BucketPlace,
    chunks: AsyncIterable<Uint8Array>,
    { mark, signal }: MarkedAttempt,
  ): Promise<void> {
    const upload = fileOf(this.#uploader, place).createWriteStream({
      ...created(mark),
      ...{ resumable: true, chunkSize: PART_BYTES },
    })
    await pipeline(Readable.from(chunks, { objectMode: false }), upload, { signal })
  }

  async copy(
    from: BucketPlace,
    to: BucketPlace,
    { version, ...attempt }: MarkedAttempt & { version: string },
  ): Promise<void> {
    try {
      await this.#writer.copy(from, to, { ...attempt, generation: version })
    } catch (error) {
      await this.#requireSource(error, { from, version, signal: attempt.signal })
      throw error
    }
  }

  /** The library goes on until all of it is copied. */
  async copyLong(from: BucketPlace, to: BucketPlace, { mark, version }: LongCopy): Promise<void> {
    const storage = this.#uploader
    const source = storage.bucket(from.bucket).file(from.key, { generation: version })
    try {
      await source.copy(fileOf(storage, to), {
        ...{ metadata: { [MARK]: mark }, preconditionOpts: { ifGenerationMatch: 0 } },
      })
    } catch (error) {
      const signal = AbortSignal.timeout(LOOK_MS_MAX)
      await this.#requireSource(error, { from, version, signal })
      throw error
    }
  }

  async #requireSource(
    error: unknown,
    { from, version, signal }: Attempt & { from: BucketPlace; version: string },
  ): Promise<void> {
    if (explainGcsError(error) === 'missing') await this.#requireVersion(from, version, signal)
  }

  /** The library's own way to move has no condition on the source. */
  move(
    from: BucketPlace,
    { key }: BucketPlace,
    { version, signal }: Attempt & { version: string },
  ): Promise<void> {
    return this.#writer.move(from, key, { generation: version, signal })
  }

  delete(place: BucketPlace, { version, signal }: Attempt & { version?: string }): Promise<void> {
    return this.#writer.delete(place, { generation: version, signal })
  }

  /** The store gives them up by itself, after a week. */
  async listUploads(): Promise<UploadsPage> {
    return { uploads: [], next: undefined }
  }

  async abortUpload(): Promise<void> {
    throw new Error('no upload was listed')
  }

  explain(error: unknown): StoreFault | undefined {
    return explainGcsError(error)
  }

  close(): void {
    this.#http.close()
  }
}

function created(mark: string) {
  return {
    preconditionOpts: { ifGenerationMatch: 0 },
    metadata: { metadata: { [MARK]: mark } },
    validation: 'crc32c',
  } as const
}

/** `expected` in base64. */
async function* checked(
  chunks: AsyncIterable<Uint8Array>,
  expected: string,
): AsyncGenerator<Uint8Array> {
  const crc32c = new CRC32C()
  for await (const chunk of chunks) {
    crc32c.update(chunk as Buffer)
    yield chunk
  }
  if (crc32c.validate(expected)) return
  const damaged = new Error('the object arrived with another CRC32C')
  throw Object.assign(damaged, { code: OTHER_CHECKSUM })
}
