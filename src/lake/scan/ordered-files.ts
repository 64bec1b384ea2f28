import { isTurnDue, sortInTurns, type Turns } from '../../core/turns.ts'
import type { DecodedManifest } from '../../formats/manifest/manifest-reader.ts'

/** Where a data file is in the order of its table: by sequence number, then path. */
export interface CommitPlace {
  readonly sequenceNumber: bigint
  readonly path: string
  /** Which one, where a file is listed twice: without it, the place after all of them. */
  readonly nth?: number
}

/** A data file of a manifest. */
export interface FilePlace extends CommitPlace {
  readonly manifest: DecodedManifest
  /** Its entry. */
  readonly index: number
}

interface KeptEntries {
  readonly manifest: DecodedManifest
  readonly kept: Uint32Array
}

/**
 * Places that are found at once: few for a first page, and then more, since each time all entries
 * are looked at.
 */
const FIRST_FOUND = 256
const FOUND_MAX = 65_536

export function byPlace(left: CommitPlace, right: CommitPlace): number {
  if (left.sequenceNumber !== right.sequenceNumber) {
    return left.sequenceNumber < right.sequenceNumber ? -1 : 1
  }
  if (left.path !== right.path) return left.path < right.path ? -1 : 1
  const [leftNth, rightNth] = [left.nth ?? Infinity, right.nth ?? Infinity]
  if (leftNth === rightNth) return 0
  return leftNth < rightNth ? -1 : 1
}

/**
 * Entries in the order of the table, those after a place. Whoever takes the first of a million
 * makes no million objects; whoever takes all of them holds a bounded number.
 */
export async function* inCommitOrder(
  entries: readonly KeptEntries[],
  { after, turns }: { readonly after?: CommitPlace | undefined; readonly turns: Turns },
): AsyncGenerator<FilePlace> {
  let last = after
  for (let wanted = FIRST_FOUND; ; wanted = Math.min(4 * wanted, FOUND_MAX)) {
    const found = await firstAfter(entries, last, { wanted, turns })
    yield* found
    if (found.length < wanted) return
    last = found.at(-1)
  }
}

/** Entries of one commit, by its sequence number, else all of them, as they lie in manifests. */
export async function* placesOf(
  entries: readonly KeptEntries[],
  { of, turns }: { readonly of: bigint | undefined; readonly turns: Turns },
): AsyncGenerator<FilePlace> {
  let looks = 0
  for (const { manifest, kept } of entries) {
    for (const index of kept) {
      const turn = isTurnDue(looks++) ? turns.take() : undefined
      if (turn !== undefined) await turn
      const sequenceNumber = manifest.sequenceNumber(index) ?? 0n
      // The paths of most are never made.
      if (of !== undefined && sequenceNumber !== of) continue
      yield { sequenceNumber, path: manifest.path(index), nth: looks, manifest, index }
    }
  }
}

async function firstAfter(
  entries: readonly KeptEntries[],
  after: CommitPlace | undefined,
  { wanted, turns }: { readonly wanted: number; readonly turns: Turns },
): Promise<readonly FilePlace[]> {
  const first = new FirstPlaces(after, wanted, turns)
  let looks = 0
  for (const { manifest, kept } of entries) {
    for (const index of kept) {
      const turn = isTurnDue(looks++) ? turns.take() : undefined
      if (turn !== undefined) await turn
      if (first.look(manifest, index, looks)) await first.cut()
    }
  }
  await first.cut()
  return first.found
}

/** The first places after another one, of those that were looked at: at most twice as many. */
class FirstPlaces {
  readonly #after: CommitPlace | undefined
  readonly #wanted: number
  readonly #turns: Turns
  /** The last that is wanted. */
  #last: CommitPlace | undefined
  found: readonly FilePlace[] = []
  #more: FilePlace[] = []

  constructor(after: CommitPlace | undefined, wanted: number, turns: Turns) {
    this.#after = after
    this.#wanted = wanted
    this.#turns = turns
  }

  /** Returns whether there are so many that they are to be cut. */
  look(manifest: DecodedManifest, index: number, nth: number): boolean {
    const sequenceNumber = manifest.sequenceNumber(index) ?? 0n
    // The paths of most are never made.
    if (this.#after !== undefined && sequenceNumber < this.#after.sequenceNumber) return false
    if (this.#last !== undefined && sequenceNumber > this.#last.sequenceNumber) return false
    const place = { sequenceNumber, path: manifest.path(index), nth, manifest, index }
    if (this.#after !== undefined && byPlace(place, this.#after) <= 0) return false
    if (this.#last !== undefined && byPlace(place, this.#last) >= 0) return false
    return this.#more.push(place) >= this.#wanted
  }

  async cut(): Promise<void> {
    const sorted = await sortInTurns([...this.found, ...this.#more], byPlace, this.#turns)
    this.found = sorted.slice(0, this.#wanted)
    this.#last = this.found[this.#wanted - 1]
    this.#more = []
  }
}
