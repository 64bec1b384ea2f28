import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
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
import { connectS3, headS3, type S3Options, s3StateOf } from './s3-connection.ts'
import { explainS3Error } from './s3-error.ts'
import { planCopy } from './s3-join-plan.ts'
import { copyPart, uploadInParts } from './s3-parts.ts'

/** About three of them are in memory for each upload. */
const PART_BYTES_MIN = 8 * 1024 * 1024
const PARTS_MAX = 10_000
/** Where the size is not known. */
const PART_BYTES_OF_STREAM = 16 * 1024 * 1024
const PARTS_AT_ONCE = 2
const PART_TRIES = 5
const UPLOADS_PAGE = 1_000

/** AWS S3, or a store that is compatible, by the SDK of AWS. Whoever opens it closes it. */
export class S3BucketClient implements BucketClient {
  /** 156 GiB. */
  readonly streamBytesMax = PARTS_MAX * PART_BYTES_OF_STREAM
  readonly #reader: S3Client
  readonly #writer: S3Client
  /** Tries parts of uploads again by itself. */
  readonly #uploader: S3Client

  constructor({ readCredentials, writeCredentials, ...place }: S3Options) {
    this.#reader = connectS3(place, readCredentials, 1)
    this.#writer = connectS3(place, writeCredentials, 1)
    this.#uploader = connectS3(place, writeCredentials, PART_TRIES)
  }

  async head(place: BucketPlace, { signal }: Attempt): Promise<ObjectState> {
    try {
      return await headS3(this.#reader, place, signal)
    } catch (error) {
      if (!isUntold(error)) throw error
      return await this.#headByBody(place, error, signal)
    }
  }

  /** An answer to HEAD has no body, which would tell what is wrong: that of a GET has one. */
  async #headByBody(place: BucketPlace, error: unknown, signal: AbortSignal): Promise<never> {
    const { chunks } = await this.get(place, { signal, range: { offset: 0, lengthBytes: 1 } })
    chunks.destroy()
    throw error
  }

  async get(
    { bucket, key }: BucketPlace,
    { signal, range, version }: Attempt & { range?: ByteRange; version?: string },
  ): Promise<ObjectBody> {
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: key,
      ...(range === undefined ? { ChecksumMode: 'ENABLED' } : { Range: rangeHeader(range) }),
      ...(version !== undefined && { IfMatch: version }),
    })
    const found = await this.#reader.send(command, { abortSignal: signal })
    const chunks = found.Body as Readable
    try {
      const { ContentRange: contentRange, ContentLength: lengthBytes } = found
      const state = s3StateOf(found, totalBytes(contentRange) ?? lengthBytes)
      requireRange(range, { contentRange, sizeBytes: state.sizeBytes })
      return { ...state, chunks }
    } catch (error) {
      chunks.destroy()
      throw error
    }
  }

  async list(
    bucket: string,
    prefix: string,
    { signal, page }: Attempt & { page?: string },
  ): Promise<ListedPage> {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      ContinuationToken: page,
    })
    const found = await this.#reader.send(command, { abortSignal: signal })
    const objects = (found.Contents ?? []).map((each) => {
      return { key: each.Key ?? '', ...s3StateOf(each, each.Size) }
    })
    return { objects, next: found.IsTruncated ? found.NextContinuationToken : undefined }
  }

  async put(place: BucketPlace, bytes: Uint8Array, attempt: MarkedAttempt): Promise<void> {
    const command = new PutObjectCommand({ ...created(place, attempt), Body: bytes })
    await this.#writer.send(command, { abortSignal: attempt.signal })
  }

  async putStream(
    place: BucketPlace,
    chunks: AsyncIterable<Uint8Array>,
    { signal, sizeBytes, ...marked }: MarkedAttempt & { sizeBytes?: number },
  ): Promise<void> {
    const body = Readable.from(chunks, { objectMode: false })
    const upload = new Upload({
      client: this.#uploader,
      params: { ...created(place, marked), Body: body, ChecksumAlgorithm: 'CRC32' },
      partSize: partBytesOf(sizeBytes),
      queueSize: PARTS_AT_ONCE,
    })
    const abort = () => void upload.abort().catch(() => undefined)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await upload.done()
    } finally {
      signal.removeEventListener('abort', abort)
      body.destroy()
    }
  }

  async copy(
    from: BucketPlace,
    to: BucketPlace,
    attempt: MarkedAttempt & { version: string },
  ): Promise<void> {
    const command = new CopyObjectCommand({
      ...created(to, attempt),
      CopySource: encodeURIComponent(`${from.bucket}/${from.key}`),
      CopySourceIfMatch: attempt.version,
      MetadataDirective: 'REPLACE',
    })
    await this.#writer.send(command, { abortSignal: attempt.signal })
  }

  async copyLong(from: BucketPlace, target: BucketPlace, copied: LongCopy): Promise<void> {
    const { mark, version, sizeBytes, partBytesMax } = copied
    const { signal } = new AbortController()
    const parts = planCopy({ ...from, offset: 0, lengthBytes: sizeBytes }, partBytesMax)
    await uploadInParts(this.#uploader, { target, mark, signal }, parts, (upload, number, part) => {
      return copyPart(this.#uploader, upload, number, { ...part, version })
    })
  }

  async delete(
    { bucket, key }: BucketPlace,
    { signal, version }: Attempt & { version?: string },
  ): Promise<void> {
    const command = new DeleteObjectCommand({
      ...{ Bucket: bucket, Key: key },
      ...(version !== undefined && { IfMatch: version }),
    })
    await this.#writer.send(command, { abortSignal: signal })
  }

  async listUploads(
    bucket: string,
    prefix: string,
    { signal, page }: Attempt & { page?: UploadsPage['next'] },
  ): Promise<UploadsPage> {
    const command = new ListMultipartUploadsCommand({
      ...{ Bucket: bucket, Prefix: prefix, MaxUploads: UPLOADS_PAGE },
      ...(page !== undefined && { KeyMarker: page.key, UploadIdMarker: page.uploadId }),
    })
    const found = await this.#reader.send(command, { abortSignal: signal })
    const uploads = (found.Uploads ?? []).flatMap(({ Key: key, UploadId: uploadId, Initiated }) => {
      if (key === undefined || uploadId === undefined || Initiated === undefined) return []
      return [{ key, uploadId, beganAtMs: Initiated.getTime() }]
    })
    const { IsTruncated, NextKeyMarker: key, NextUploadIdMarker: uploadId } = found
    // Not every store that is compatible tells where a page ends.
    const isLast = key === page?.key && uploadId === page?.uploadId
    const hasMore = IsTruncated === true && key !== undefined && !isLast
    return { uploads, next: hasMore ? { key, uploadId } : undefined }
  }

  async abortUpload(
    { bucket, key }: BucketPlace,
    { signal, uploadId }: Attempt & { uploadId: string },
  ): Promise<void> {
    const command = new AbortMultipartUploadCommand({
      ...{ Bucket: bucket, Key: key, UploadId: uploadId },
    })
    await this.#writer.send(command, { abortSignal: signal }).catch((error: unknown) => {
      // Completed since it was listed, or given up by another.
      if (explainS3Error(error) !== 'upload-gone') throw error
    })
  }

  explain(error: unknown): StoreFault | undefined {
    return explainS3Error(error)
  }

  close(): void {
    for (const client of [this.#reader, this.#writer, this.#uploader]) client.destroy()
  }
}

function partBytesOf(sizeBytes: number | undefined): number {
  if (sizeBytes === undefined) return PART_BYTES_OF_STREAM
  return Math.max(PART_BYTES_MIN, Math.ceil(sizeBytes / PARTS_MAX))
}

/** Statuses that stand for many causes: an expired token, another region, a clock, a right. */
const UNTOLD = new Set([301, 400, 403])

function isUntold(error: unknown): boolean {
  const { $metadata } = Object(error) as { readonly $metadata?: { httpStatusCode?: number } }
  return UNTOLD.has($metadata?.httpStatusCode ?? 0)
}

function created({ bucket, key }: BucketPlace, { mark }: Marked) {
  return { Bucket: bucket, Key: key, IfNoneMatch: '*', Metadata: { [MARK]: mark } }
}
