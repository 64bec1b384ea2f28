import { randomUUID } from 'node:crypto'
import { CatalogError } from '../../core/errors.ts'
import type {
  JoinedPart,
  JoinOptions,
  JoinOutcome,
  LinkWish,
  ObjectLinks,
} from '../object-links.ts'
import { quoted } from '../store-errors.ts'
import type { BucketClient, Marked, ObjectState } from './bucket-client.ts'
import { bucketError } from './bucket-error.ts'
import { type BucketLocations, type BucketPlace, BucketRoots } from './bucket-location.ts'
import { faultOf, StorePatience } from './store-patience.ts'

/** Some bytes of an object in a bucket, at least one. */
export interface PlacedPart extends BucketPlace {
  readonly offset: number
  readonly lengthBytes: number
}

export interface Join extends Marked, JoinOptions {}

/**
 * The requests of links and of joining, each tried again by the library. Reading and looking uses
 * the reading credential, all else the writing one. They throw what the library throws.
 */
export interface LinkClient extends Pick<BucketClient, 'delete' | 'explain' | 'head'> {
  sign(place: BucketPlace, wish: LinkWish): Promise<string>
  /** Creates only; nothing is left of a failure but what `deleteUnfinished` finds. */
  join(
    parts: readonly PlacedPart[],
    target: BucketPlace,
    join: Join,
  ): Promise<'joined' | 'not-joinable'>
  close(): void
}

export interface BucketLinksOptions {
  readonly client: LinkClient
  readonly locations: BucketLocations
  readonly writableRoots: readonly string[]
  readonly readableRoots: readonly string[]
}

/** The links of one kind of bucket store. Whoever opens them closes them. */
export class BucketLinks implements ObjectLinks {
  readonly #client: LinkClient
  readonly #readable: BucketRoots
  readonly #writable: BucketRoots
  readonly #patience: StorePatience

  constructor({ client, locations, writableRoots, readableRoots }: BucketLinksOptions) {
    this.#client = client
    this.#readable = new BucketRoots('read', locations, [...writableRoots, ...readableRoots])
    this.#writable = new BucketRoots('write', locations, writableRoots)
    this.#patience = new StorePatience((error) => client.explain(error) === 'busy')
  }

  canLink(location: string): boolean {
    try {
      this.#readable.placeOfObject(location)
      return true
    } catch {
      return false
    }
  }

  async signedUrl(location: string, wish: LinkWish): Promise<string> {
    const place = this.#readable.placeOfObject(location)
    try {
      // Where no key is at hand, another service is asked to sign.
      return await this.#patience.ask(() => this.#client.sign(place, wish))
    } catch (error) {
      throw this.#refusal(error, location)
    }
  }

  async join(
    parts: readonly JoinedPart[],
    target: string,
    options: JoinOptions,
  ): Promise<JoinOutcome> {
    const to = this.#writable.placeOfObject(target)
    const placed = parts
      .filter(({ lengthBytes }) => lengthBytes > 0)
      .map(({ location, ...range }) => ({ ...this.#readable.placeOfObject(location), ...range }))
    const lengthBytes = placed.reduce((sum, part) => sum + part.lengthBytes, 0)
    const join = { ...options, mark: randomUUID() }
    try {
      const outcome = await this.#patience.askLong(() => this.#client.join(placed, to, join))
      if (outcome === 'not-joinable') return outcome
    } catch (error) {
      const isOwn = await this.#explained(error, { to, target, ...join })
      if (!isOwn) return 'already-exists'
    }
    await this.#requireLength(to, { target, lengthBytes, signal: options.signal })
    return 'written'
  }

  /** Whether the object that is there is this join's own; throws what is another failure. */
  async #explained(
    error: unknown,
    { to, target, mark, signal }: Join & { readonly to: BucketPlace; readonly target: string },
  ): Promise<boolean> {
    const fault = this.#client.explain(error)
    const isSettled = fault === 'precondition' || fault === 'upload-gone'
    if (!isSettled) throw this.#refusal(error, target)
    try {
      return (await this.#head(to, signal)).mark === mark
    } catch (missing) {
      // Nothing is there, so it was a part that is no longer what it was.
      const isPart = this.#client.explain(missing) === 'missing'
      throw this.#refusal(isPart ? error : missing, target)
    }
  }

  #head(place: BucketPlace, ends: AbortSignal): Promise<ObjectState> {
    return this.#patience.ask((signal) => {
      ends.throwIfAborted()
      return this.#client.head(place, { signal })
    })
  }

  /** A store that joins wrongly must not be believed. */
  async #requireLength(
    to: BucketPlace,
    {
      target,
      lengthBytes,
      signal,
    }: { readonly target: string; readonly lengthBytes: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { sizeBytes } = await this.#head(to, signal)
    if (sizeBytes === lengthBytes) return
    await this.#client.delete(to, { signal })
    throw new Error(
      `the store joined ${quoted(target)} as ${sizeBytes} bytes, in place of ${lengthBytes}`,
    )
  }

  #refusal(error: unknown, location: string): unknown {
    if (error instanceof CatalogError) return error
    return bucketError(error, faultOf(error, this.#client), location)
  }

  close(): void {
    this.#client.close()
  }
}
