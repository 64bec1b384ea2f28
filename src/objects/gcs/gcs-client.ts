import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CRC32C, type Storage } from '@google-cloud/storage'
import {
  type Attempt,
  type BucketClient,
  type ListedPage,
  type LongCopy,
  MARK,
  type Marked,
  type MarkedAttempt,
  type ObjectBody,
  type ObjectState,
  type StoreFault,
  type UploadsPage,
} from '../bucket/bucket-client.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { type ByteRange, rangeHeader, requireRange, totalBytes } from '../bucket/bucket-range.ts'
import { connectGcs, fileOf, type GcsOptions, gcsStateOf } from './gcs-connection.ts'
import { GcsDownloads } from './gcs-download.ts'
import { explainGcsError, OTHER_CHECKSUM } from './gcs-error.ts'

/** Kept in memory until the store has it; a multiple of 256 KiB. */
const PART_BYTES = 16 * 1024 * 1024
const PART_TRIES = 5
const PAGE_OBJECTS = 1_000
const PRECONDITION_FAILED = 412
const CRC32C_HASH = /crc32c=([^,]+)/

interface Copy extends Marked {
  readonly from: BucketPlace
  readonly to: BucketPlace
  /** The generation of the source. */
  readonly version: string
}

/** Google Cloud Storage by its own library. */
export class GcsBucketClient implements BucketClient {
  readonly #reader: Storage
  readonly #writer: Storage
  /** Tries parts of uploads again by itself. */
  readonly #uploader: Storage
  readonly #downloads = new GcsDownloads()
  readonly #sendsTokens: boolean

  constructor({ readKeyFile, writeKeyFile, ...place }: GcsOptions) {
    this.#sendsTokens = place.endpoint === undefined || place.sendsTokens === true
    this.#reader = connectGcs({ ...place, keyFile: readKeyFile, maxRetries: 0 })
    this.#writer = connectGcs({ ...place, keyFile: writeKeyFile, maxRetries: 0 })
    this.#uploader = connectGcs({ ...place, keyFile: writeKeyFile, maxRetries: PART_TRIES })
  }

  async head(place: BucketPlace): Promise<ObjectState> {
    const [found] = await fileOf(this.#reader, place).getMetadata()
    return gcsStateOf(found)
  }

  async get(
    place: BucketPlace,
    { signal, range, version }: Attempt & { range?: ByteRange; version?: string },
  ): Promise<ObjectBody> {
    const url = this.#addressOf(place, version)
    const headers = {
      ...(await this.#authorization(url)),
      ...(range !== undefined && { range: rangeHeader(range) }),
      // Or the store decompresses what its writer has told to be gzip: other bytes, without ranges.
      'accept-encoding': 'gzip',
    }
    const response = await this.#downloads
      .get(url, { headers, signal })
      .catch(async (error: unknown) => {
        if (version !== undefined) await this.#requireVersion(place, version)
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

  #addressOf({ bucket, key }: BucketPlace, version: string | undefined): URL {
    const url = new URL(`${this.#reader.apiEndpoint}/storage/v1/b/${bucket}/o/`)
    url.pathname += encodeURIComponent(key)
    url.searchParams.set('alt', 'media')
    if (version !== undefined) url.searchParams.set('generation', version)
    return url
  }

  /** An emulator asks for none. */
  async #authorization(url: URL): Promise<Record<string, string>> {
    if (!this.#sendsTokens) return {}
    return this.#reader.authClient.getRequestHeaders(url.href)
  }

  /** Asked for by its generation, an object that was replaced is not there. */
  async #requireVersion(place: BucketPlace, version: string): Promise<void> {
    const found = await this.head(place).catch(() => undefined)
    if (found === undefined || found.version === version) return
    throw Object.assign(new Error('the object was replaced'), { code: PRECONDITION_FAILED })
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
    const objects = files.map(({ name, metadata }) => ({ key: name, ...gcsStateOf(metadata) }))
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
    { mark, signal }: MarkedAttempt,
  ): Promise<void> {
    const upload = fileOf(this.#uploader, place).createWriteStream({
      ...created(mark),
      ...{ resumable: true, chunkSize: PART_BYTES },
    })
    await pipeline(Readable.from(chunks, { objectMode: false }), upload, { signal })
  }

  copy(
    from: BucketPlace,
    to: BucketPlace,
    { mark, version }: MarkedAttempt & { version: string },
  ): Promise<void> {
    return this.#copyBy(this.#writer, { from, to, mark, version })
  }

  /** The library goes on until all of it is copied. */
  copyLong(from: BucketPlace, to: BucketPlace, { mark, version }: LongCopy): Promise<void> {
    return this.#copyBy(this.#uploader, { from, to, mark, version })
  }

  async #copyBy(storage: Storage, { from, to, mark, version }: Copy): Promise<void> {
    const source = storage.bucket(from.bucket).file(from.key, { generation: version })
    try {
      await source.copy(fileOf(storage, to), {
        ...{ metadata: { [MARK]: mark }, preconditionOpts: { ifGenerationMatch: 0 } },
      })
    } catch (error) {
      if (explainGcsError(error) === 'missing') await this.#requireVersion(from, version)
      throw error
    }
  }

  async delete(place: BucketPlace, { version }: Attempt & { version?: string }): Promise<void> {
    const precondition = version === undefined ? {} : { ifGenerationMatch: version }
    await fileOf(this.#writer, place).delete(precondition)
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
    this.#downloads.close()
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
