import type { Storage } from '@google-cloud/storage'
import { mapBounded } from '../../core/bounded.ts'
import { MARK, type ObjectState, type StoreFault } from '../bucket/bucket-client.ts'
import {
  BucketLinks,
  type BucketLinksOptions,
  type Join,
  type LinkClient,
  type PlacedPart,
} from '../bucket/bucket-links.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { JoinVersions } from '../bucket/join-versions.ts'
import type { LinkWish } from '../object-links.ts'
import { connectGcs, fileOf, type GcsOptions, gcsStateOf } from './gcs-connection.ts'
import { explainGcsError } from './gcs-error.ts'
import { GCS_LOCATIONS } from './gcs-store.ts'

const TRIES_MORE = 4
/** Objects that the store joins in one request. */
const JOINED_MAX = 32
const JOINS_AT_ONCE = 4

export type GcsLinksOptions = Omit<BucketLinksOptions, 'client' | 'locations'> & GcsOptions

/** Opens the links of `gs://` locations. */
export function openGcsLinks(options: GcsLinksOptions): BucketLinks {
  return new BucketLinks({
    ...options,
    client: new GcsLinkClient(options),
    locations: GCS_LOCATIONS,
  })
}

/** One version of an object in the bucket of the joined one. */
interface Source {
  readonly key: string
  readonly generation: string
}

class GcsLinkClient implements LinkClient {
  readonly #reader: Storage
  readonly #writer: Storage

  constructor({ readKeyFile, writeKeyFile, ...place }: GcsOptions) {
    this.#reader = connectGcs({ ...place, keyFile: readKeyFile, maxRetries: TRIES_MORE })
    this.#writer = connectGcs({ ...place, keyFile: writeKeyFile, maxRetries: TRIES_MORE })
  }

  async sign(place: BucketPlace, wish: LinkWish): Promise<string> {
    // In whole seconds, as the library counts.
    const nowMs = Math.floor(Date.now() / 1_000) * 1_000
    const [url] = await fileOf(this.#writer, place).getSignedUrl({
      ...{ version: 'v4', action: 'read', accessibleAt: nowMs },
      expires: nowMs + wish.expiresInSeconds * 1_000,
      responseDisposition: wish.contentDisposition,
      responseType: wish.contentType,
    })
    return url
  }

  async head(place: BucketPlace): Promise<ObjectState> {
    const [found] = await fileOf(this.#reader, place).getMetadata()
    return gcsStateOf(found)
  }

  async delete(place: BucketPlace): Promise<void> {
    await fileOf(this.#writer, place).delete()
  }

  /** Whole objects only: the store has no other way. */
  async join(
    parts: readonly PlacedPart[],
    target: BucketPlace,
    { mark, signal, confirm }: Join,
  ): Promise<'joined' | 'not-joinable'> {
    if (parts.length === 0 || parts.some(({ bucket }) => bucket !== target.bucket)) {
      return 'not-joinable'
    }
    const versions = await JoinVersions.of(parts, (place) => this.head(place))
    if (!parts.every((part) => versions.isWhole(part))) return 'not-joinable'
    await confirm()
    const own: BucketPlace[] = []
    try {
      let sources = parts.map((part): Source => ({ key: part.key, generation: versions.of(part) }))
      for (let level = 0; sources.length > JOINED_MAX; level++) {
        const groups = grouped(sources).map((group, i) => {
          const key = `${target.key}.joining-${mark}-${level}-${i}`
          return { group, place: { bucket: target.bucket, key } }
        })
        own.push(...groups.map(({ place }) => place))
        sources = await mapBounded(groups, JOINS_AT_ONCE, ({ group, place }) => {
          signal.throwIfAborted()
          return this.#composeOwn(group, place, mark)
        })
      }
      await this.#compose(sources, target, mark)
    } finally {
      await mapBounded(own, JOINS_AT_ONCE, (place) => this.delete(place).catch(() => undefined))
    }
    return 'joined'
  }

  /** The same for an object on the way, which an earlier try may have made: its name is ours. */
  async #composeOwn(sources: readonly Source[], place: BucketPlace, mark: string): Promise<Source> {
    try {
      return await this.#compose(sources, place, mark)
    } catch (error) {
      if (explainGcsError(error) !== 'precondition') throw error
      const made = await this.head(place).catch(() => undefined)
      if (made?.mark !== mark) throw error
      return { key: place.key, generation: made.version }
    }
  }

  /** Up to 32 objects as one, which must not be there yet. */
  async #compose(sources: readonly Source[], place: BucketPlace, mark: string): Promise<Source> {
    const [answer] = await fileOf(this.#writer, place).request({
      method: 'POST',
      uri: '/compose',
      qs: { ifGenerationMatch: 0 },
      json: {
        destination: { metadata: { [MARK]: mark } },
        sourceObjects: sources.map(({ key, generation }) => ({
          name: key,
          objectPreconditions: { ifGenerationMatch: generation },
        })),
      },
    })
    const { generation } = answer as { readonly generation?: string | number }
    if (generation === undefined) throw new Error('the store does not tell what it has joined')
    return { key: place.key, generation: String(generation) }
  }

  explain(error: unknown): StoreFault | undefined {
    return explainGcsError(error)
  }

  /** The library keeps no connections of its own. */
  close(): void {}
}

function grouped(sources: readonly Source[]): Source[][] {
  const count = Math.ceil(sources.length / JOINED_MAX)
  return Array.from({ length: count }, (_, i) =>
    sources.slice(i * JOINED_MAX, (i + 1) * JOINED_MAX),
  )
}
