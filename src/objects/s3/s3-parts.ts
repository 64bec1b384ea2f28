import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { mapBounded } from '../../core/bounded.ts'
import { MARK, type Marked } from '../bucket/bucket-client.ts'
import type { PlacedPart } from '../bucket/bucket-links.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { rangeHeader } from '../bucket/bucket-range.ts'

/** Up to 5 MiB of what is sent are in memory for each. */
const PARTS_AT_ONCE = 4

/** An upload in parts that is open. */
export interface PartUpload {
  readonly target: BucketPlace
  readonly uploadId: string
  readonly signal: AbortSignal
}

/** Creates an object of parts, in their order, and replaces none; gives up what fails. */
export async function uploadInParts<T>(
  client: S3Client,
  { target, mark, signal }: Marked & Omit<PartUpload, 'uploadId'>,
  parts: readonly T[],
  place: (upload: PartUpload, number: number, part: T) => Promise<CompletedPart>,
): Promise<void> {
  const { bucket: Bucket, key: Key } = target
  const created = await client.send(
    new CreateMultipartUploadCommand({
      // No checksum of its own: for a copied part, stores tell that of the whole source, or none.
      ...{ Bucket, Key, Metadata: { [MARK]: mark } },
    }),
    { abortSignal: signal },
  )
  const UploadId = created.UploadId ?? ''
  try {
    const upload = { target, uploadId: UploadId, signal }
    const numbered = parts.map((part, i) => ({ part, number: i + 1 }))
    const Parts = await mapBounded(numbered, PARTS_AT_ONCE, ({ part, number }) => {
      signal.throwIfAborted()
      return place(upload, number, part)
    })
    const completed = new CompleteMultipartUploadCommand({
      ...{ Bucket, Key, UploadId, MultipartUpload: { Parts }, IfNoneMatch: '*' },
    })
    await client.send(completed, { abortSignal: signal })
  } catch (error) {
    // What is left all the same, housekeeping gives up.
    const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId })
    await client.send(abort).catch(() => undefined)
    throw error
  }
}

/** Copies a part within the store, of that version of its object only. */
export async function copyPart(
  client: S3Client,
  { target, uploadId, signal }: PartUpload,
  number: number,
  { version, ...part }: PlacedPart & { readonly version: string },
): Promise<CompletedPart> {
  const { CopyPartResult: made } = await client.send(
    new UploadPartCopyCommand({
      ...{ Bucket: target.bucket, Key: target.key, UploadId: uploadId, PartNumber: number },
      CopySource: encodeURIComponent(`${part.bucket}/${part.key}`),
      CopySourceRange: rangeHeader(part),
      CopySourceIfMatch: version,
    }),
    { abortSignal: signal },
  )
  return { PartNumber: number, ETag: made?.ETag }
}
