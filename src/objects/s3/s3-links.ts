import type { Readable } from 'node:stream'
import {
  type CompletedPart,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Attempt, ObjectState, StoreFault } from '../bucket/bucket-client.ts'
import {
  BucketLinks,
  type BucketLinksOptions,
  type Join,
  type LinkClient,
  type PlacedPart,
} from '../bucket/bucket-links.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { rangeHeader } from '../bucket/bucket-range.ts'
import { JoinVersions } from '../bucket/join-versions.ts'
import { withoutStalls } from '../bucket/without-stalls.ts'
import type { LinkWish } from '../object-links.ts'
import { connectS3, headS3, type S3Options } from './s3-connection.ts'
import { explainS3Error } from './s3-error.ts'
import { type PlannedPart, planJoin } from './s3-join-plan.ts'
import { copyPart, type PartUpload, uploadInParts } from './s3-parts.ts'
import { S3_LOCATIONS } from './s3-store.ts'

const TRIES = 5

export type S3LinksOptions = Omit<BucketLinksOptions, 'client' | 'locations'> &
  S3Options & {
    /** The address that clients know the store by, if it is another than the service's. */
    readonly publicEndpoint: string | undefined
  }

/** Opens the links of `s3://` locations. */
export function openS3Links(options: S3LinksOptions): BucketLinks {
  return new BucketLinks({
    ...options,
    client: new S3LinkClient(options),
    locations: S3_LOCATIONS,
  })
}

interface Upload extends PartUpload {
  readonly versions: JoinVersions
}

class S3LinkClient implements LinkClient {
  readonly #reader: S3Client
  readonly #writer: S3Client
  /** Sends nothing. */
  readonly #signer: S3Client

  constructor(options: S3LinksOptions) {
    const { readCredentials, writeCredentials, publicEndpoint, endpoint } = options
    this.#reader = connectS3(options, readCredentials, TRIES)
    this.#writer = connectS3(options, writeCredentials, TRIES)
    const seenByClients = { ...options, endpoint: publicEndpoint ?? endpoint }
    this.#signer = connectS3(seenByClients, writeCredentials, 1)
  }

  sign({ bucket, key }: BucketPlace, wish: LinkWish): Promise<string> {
    const asked = {
      ...{ Bucket: bucket, Key: key },
      ResponseContentDisposition: wish.contentDisposition,
      ResponseContentType: wish.contentType,
    }
    const command =
      wish.method === 'HEAD' ? new HeadObjectCommand(asked) : new GetObjectCommand(asked)
    return getSignedUrl(this.#signer, command, { expiresIn: wish.expiresInSeconds })
  }

  head(place: BucketPlace, { signal }: Attempt): Promise<ObjectState> {
    return headS3(this.#reader, place, signal)
  }

  async delete({ bucket, key }: BucketPlace, { signal }: Attempt): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key })
    await this.#writer.send(command, { abortSignal: signal })
  }

  async join(
    parts: readonly PlacedPart[],
    target: BucketPlace,
    { mark, signal, confirm }: Join,
  ): Promise<'joined' | 'not-joinable'> {
    const planned = planJoin(parts)
    if (planned === undefined) return 'not-joinable'
    const versions = await JoinVersions.of(parts, (place) => this.head(place, { signal }))
    await confirm()
    await uploadInParts(this.#writer, { target, mark, signal }, planned, (upload, number, part) => {
      return part.kind === 'copy'
        ? copyPart(this.#writer, upload, number, { ...part.part, version: versions.of(part.part) })
        : this.#send({ ...upload, versions }, number, part.parts)
    })
    return 'joined'
  }

  async #send(
    { target, uploadId, versions, signal }: Upload,
    number: number,
    parts: Extract<PlannedPart, { kind: 'send' }>['parts'],
  ): Promise<CompletedPart> {
    const chunks: Uint8Array[] = []
    for (const part of parts) {
      const command = new GetObjectCommand({
        ...{ Bucket: part.bucket, Key: part.key },
        Range: rangeHeader(part),
        IfMatch: versions.of(part),
      })
      const { Body } = await this.#reader.send(command, { abortSignal: signal })
      for await (const chunk of withoutStalls(Body as Readable)) chunks.push(chunk)
    }
    const made = await this.#writer.send(
      new UploadPartCommand({
        ...{ Bucket: target.bucket, Key: target.key, UploadId: uploadId, PartNumber: number },
        Body: Buffer.concat(chunks),
      }),
      { abortSignal: signal },
    )
    return { PartNumber: number, ETag: made.ETag }
  }

  explain(error: unknown): StoreFault | undefined {
    return explainS3Error(error)
  }

  close(): void {
    for (const client of [this.#reader, this.#writer, this.#signer]) client.destroy()
  }
}
