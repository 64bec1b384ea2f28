import { mapBounded } from '../../core/bounded.ts'
import type { ObjectState } from './bucket-client.ts'
import type { PlacedPart } from './bucket-links.ts'
import type { BucketPlace } from './bucket-location.ts'

const LOOKS_AT_ONCE = 16

/** The versions of the objects that are joined, so that none of another is. */
export class JoinVersions {
  readonly #states: ReadonlyMap<string, ObjectState>

  private constructor(states: ReadonlyMap<string, ObjectState>) {
    this.#states = states
  }

  static async of(
    parts: readonly PlacedPart[],
    head: (place: BucketPlace) => Promise<ObjectState>,
  ): Promise<JoinVersions> {
    const places = [...new Map(parts.map((part) => [nameOf(part), part])).entries()]
    const states = await mapBounded(
      places,
      LOOKS_AT_ONCE,
      async ([name, place]) => [name, await head(place)] as const,
    )
    return new JoinVersions(new Map(states))
  }

  of(place: BucketPlace): string {
    return this.#stateOf(place).version
  }

  /** Whether the part is the whole of its object. */
  isWhole(part: PlacedPart): boolean {
    return part.offset === 0 && part.lengthBytes === this.#stateOf(part).sizeBytes
  }

  #stateOf(place: BucketPlace): ObjectState {
    const state = this.#states.get(nameOf(place))
    if (state === undefined) throw new Error(`${nameOf(place)} is no part of the join`)
    return state
  }
}

function nameOf({ bucket, key }: BucketPlace): string {
  return `${bucket}/${key}`
}
