import type { Readable } from 'node:stream'
import type { BucketPlace } from './bucket-location.ts'
import type { ByteRange } from './bucket-range.ts'

/** An object as its store describes it. */
export interface ObjectState {
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** Another for other content: the generation, or the ETag. */
  readonly version: string
  /** What its writer has marked it with; in listings always `undefined`. */
  readonly mark?: string | undefined
}

export interface ListedObject extends ObjectState {
  readonly key: string
}

export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** For the page after it. */
  readonly next: string | undefined
}

/** Uploads in parts that were neither completed nor given up. */
export interface UploadsPage {
  readonly uploads: readonly {
    readonly key: string
    readonly uploadId: string
    readonly beganAtMs: number
  }[]
  /** For the page after it. */
  readonly next: { readonly key: string; readonly uploadId: string | undefined } | undefined
}

export interface ObjectBody extends ObjectState {
  /** The range asked for, as much of it as there is. Destroying it ends the request. */
  readonly chunks: Readable
}

/** What the answer of a store means. */
export type StoreFault =
  /** There is no such object. */
  | 'missing'
  /** The object is there already, or another version than the one expected. */
  | 'precondition'
  /** The range begins past the object's end. */
  | 'beyond-end'
  /** It has no answer now: overloaded, failing, out of reach, or the connection was cut. */
  | 'busy'
  | 'rights-missing'
  | 'bucket-missing'
  | 'credentials-refused'
  /** None are set, or the file that is set has none. */
  | 'credentials-missing'
  | 'region-missing'
  /** The store does not have what was asked for: a condition, as a rule. */
  | 'not-supported'
  /** The upload in parts is no more: completed by a try whose answer was lost, or given up. */
  | 'upload-gone'
  /** What arrived has another checksum than the store has of it. */
  | 'damaged'
  /** They do for requests, and have no key to sign links with. */
  | 'signing-refused'
  | 'clock-skewed'

export interface Attempt {
  /** Ends the request, when its time is over. */
  readonly signal: AbortSignal
}

/** A write that replaces nothing, and leaves a mark by which its own outcome can be found out. */
export interface Marked {
  readonly mark: string
}

/** A copy of an object of so many bytes, in parts of at most so many. */
export interface LongCopy extends Marked {
  readonly version: string
  readonly sizeBytes: number
  readonly partBytesMax: number
}

export type MarkedAttempt = Attempt & Marked

/** Key of the mark in the metadata of objects. */
export const MARK = 'moraine-write'

/**
 * The requests of one bucket store, as thin as its library allows. What reads or lists uses the
 * reading credential, all else the writing one. Each may be made again, and throws what the library
 * throws: `explain` says what it means.
 */
export interface BucketClient {
  head(place: BucketPlace, attempt: Attempt): Promise<ObjectState>
  /** Reads one version, if given, and all of the object without a range. */
  get(
    place: BucketPlace,
    attempt: Attempt & {
      readonly range?: ByteRange | undefined
      readonly version?: string | undefined
    },
  ): Promise<ObjectBody>
  /** Every object whose key begins with the prefix, in pages. */
  list(
    bucket: string,
    prefix: string,
    attempt: Attempt & { readonly page?: string | undefined },
  ): Promise<ListedPage>
  /** Short objects, in one request. */
  put(place: BucketPlace, bytes: Uint8Array, attempt: MarkedAttempt): Promise<void>
  /** The most that `putStream` takes where the size is not known. */
  readonly streamBytesMax: number
  /** Puts it in parts, each tried again by the library; nothing is left of a failure. */
  putStream(
    place: BucketPlace,
    chunks: AsyncIterable<Uint8Array>,
    attempt: MarkedAttempt & { readonly sizeBytes?: number | undefined },
  ): Promise<void>
  /** Within the store, in one request, of that version only. */
  copy(
    from: BucketPlace,
    to: BucketPlace,
    attempt: MarkedAttempt & { readonly version: string },
  ): Promise<void>
  /** Long objects, in parts where a request copies no more; tried again by the library. */
  copyLong(from: BucketPlace, to: BucketPlace, copied: LongCopy): Promise<void>
  /**
   * Renames that version within its bucket, to a name that has no object; it keeps its mark. Stores
   * without renaming have none.
   */
  move?(
    from: BucketPlace,
    to: BucketPlace,
    attempt: Attempt & { readonly version: string },
  ): Promise<void>
  /** Only that version, if given. */
  delete(
    place: BucketPlace,
    attempt: Attempt & { readonly version?: string | undefined },
  ): Promise<void>
  /** Uploads in parts of keys with the prefix, in pages. */
  listUploads(
    bucket: string,
    prefix: string,
    attempt: Attempt & { readonly page?: UploadsPage['next'] },
  ): Promise<UploadsPage>
  /** Gives an upload in parts up, if it is still there. */
  abortUpload(place: BucketPlace, attempt: Attempt & { readonly uploadId: string }): Promise<void>
  explain(error: unknown): StoreFault | undefined
  close(): void
}
