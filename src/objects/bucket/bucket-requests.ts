import { CatalogError } from '../../core/errors.ts'
import { missingFile, replacedFile } from '../store-errors.ts'
import type { BucketClient, ObjectBody, ObjectState, StoreFault } from './bucket-client.ts'
import { bucketError } from './bucket-error.ts'
import type { BucketPlace } from './bucket-location.ts'
import type { ByteRange } from './bucket-range.ts'
import { Cuts } from './cuts.ts'
import { faultOf, StorePatience } from './store-patience.ts'
import { withoutStalls } from './without-stalls.ts'

export interface WantedBytes {
  readonly place: BucketPlace
  readonly location: string
  readonly offset: number
  readonly end: number
  /** Any without. */
  readonly version?: string | undefined
  /** Whether that is all of the object. */
  readonly isWhole?: boolean | undefined
}

/** Requests to the store of a bucket, made with patience; their failures are told by location. */
export class BucketRequests {
  readonly #client: BucketClient
  readonly #patience: StorePatience

  constructor(client: BucketClient) {
    this.#client = client
    this.#patience = new StorePatience((error) => client.explain(error) === 'busy')
  }

  head(place: BucketPlace, location: string): Promise<ObjectState> {
    return this.ask(location, (signal) => this.#client.head(place, { signal }))
  }

  get(
    place: BucketPlace,
    location: string,
    wanted: { readonly range?: ByteRange | undefined; readonly version?: string | undefined },
  ): Promise<ObjectBody> {
    return this.ask(location, (signal) => this.#client.get(place, { ...wanted, signal }))
  }

  /** `undefined` if the range begins at the object's end or after it. */
  getIfWithin(
    place: BucketPlace,
    location: string,
    range: ByteRange,
  ): Promise<ObjectBody | undefined> {
    return this.ask(location, async (signal) => {
      try {
        return await this.#client.get(place, { range, signal })
      } catch (error) {
        if (this.explain(error) === 'beyond-end') return undefined
        throw error
      }
    })
  }

  /**
   * Exactly the bytes from `offset` to `end` of one version, with requests for what was cut. Only
   * what is asked for without a range has a checksum: what comes after a cut has none.
   */
  async *read(
    { version: wanted, ...part }: WantedBytes,
    first?: ObjectBody,
  ): AsyncGenerator<Uint8Array> {
    const { location, offset, end } = part
    const cuts = new Cuts()
    let version = wanted
    let position = offset
    // Nobody would read the body of what is empty.
    if (offset === end) first?.chunks.destroy()
    for (let next = first; position < end; next = undefined) {
      const body = next ?? (await this.#getRest({ ...part, version }, position))
      version = body.version
      try {
        for await (const chunk of withoutStalls(body.chunks)) {
          position += chunk.byteLength
          yield chunk
        }
        cuts.at(position)
      } catch (error) {
        const fault = this.explain(error)
        if (fault !== 'busy') throw bucketError(error, fault, location)
        cuts.at(position)
      }
      if (cuts.areTooMany && position < end) throw bucketError(undefined, 'busy', location)
    }
  }

  async #getRest(
    { place, location, end, version, isWhole = false }: WantedBytes,
    position: number,
  ): Promise<ObjectBody> {
    const isAll = isWhole && position === 0
    const range = isAll ? undefined : { offset: position, lengthBytes: end - position }
    const body = await this.get(place, location, { range, version })
    const isLonger = isAll && body.sizeBytes > end
    if (body.sizeBytes >= end && !isLonger) return body
    body.chunks.destroy()
    throw isLonger ? replacedFile(location) : missingFile(location)
  }

  /** As `StorePatience` has it: what a library throws is not told by location yet. */
  askLong<T>(work: () => Promise<T>): Promise<T> {
    return this.#patience.askLong(work)
  }

  async ask<T>(
    location: string,
    work: (signal: AbortSignal) => Promise<T>,
    { missing = 'missing' }: { readonly missing?: StoreFault } = {},
  ): Promise<T> {
    try {
      return await this.#patience.ask(work)
    } catch (error) {
      const fault = this.explain(error)
      throw bucketError(error, fault === 'missing' ? missing : fault, location)
    }
  }

  /** What a library throws is not told by location yet. */
  askPlainly<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#patience.ask(work)
  }

  explain(error: unknown): StoreFault | undefined {
    if (error instanceof CatalogError) return undefined
    return faultOf(error, this.#client)
  }
}
