import { CatalogError } from '../../core/errors.ts'

/** Bodies up to this size have a share of the memory that longer ones cannot take. */
export const SHORT_BODY_BYTES = 64 * 1024
/** For short bodies alone: one part of so many. */
const SHORT_BODIES_PART = 8

/** Part of the memory that one request holds. */
export interface BodyShare {
  /** Throws `overloaded`, and holds no more than before, if so many more bytes are too many. */
  take(bytes: number): void
  /** Throws `overloaded` if a body that is to come has no room now; holds nothing for it. */
  requireRoom(bytes: number): void
  /** Gives everything back; called once, however the request ends. */
  release(): void
}

/**
 * Bytes of request bodies in memory, of all requests together. What has arrived counts, not what is
 * announced: otherwise, who announces much and sends nothing would keep everybody else out.
 */
export class BodyMemory {
  readonly #bytesMax: number
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  share(): BodyShare {
    let own = 0
    const requireRoom = (bytes: number) => {
      if (this.#heldBytes + bytes > this.#maxFor(own + bytes)) throw tooMany(this.#bytesMax)
    }
    return {
      requireRoom,
      take: (bytes) => {
        requireRoom(bytes)
        own += bytes
        this.#heldBytes += bytes
      },
      release: () => {
        this.#heldBytes -= own
        own = 0
      },
    }
  }

  #maxFor(bodyBytes: number): number {
    const reserved = bodyBytes <= SHORT_BODY_BYTES ? 0 : this.#bytesMax / SHORT_BODIES_PART
    return this.#bytesMax - reserved
  }
}

function tooMany(bytesMax: number): CatalogError {
  return new CatalogError(
    'overloaded',
    'the bodies of all requests together take as much memory as they may: try again soon, or ' +
      'send fewer large ones at once',
    { facts: { setting: 'MORAINE_BODY_MEMORY', bytesMax } },
  )
}
