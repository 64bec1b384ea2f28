import { dataFileChanged } from '../../../lake/file/known-footers.ts'
import { isSameVersion, type SourceIdentity } from '../../../lake/file/source-identity.ts'
import type { ObjectStore } from '../../../objects/object-store.ts'
import type { DumpIndex, DumpPiece, IndexedSource } from '../format/dump-index.ts'

interface Known {
  readonly source: IndexedSource
  readonly index: DumpIndex
}

/**
 * The data files that a dump is made of, as they were read for it, held against what earlier dumps
 * remember: data files are immutable, so other content is never handed out under the same name.
 */
export class SourceRecord {
  readonly #known = new Map<string, Known>()
  readonly #read = new Map<string, IndexedSource>()

  /** Earlier dumps, newest first. */
  constructor(earlier: readonly DumpIndex[]) {
    for (const index of earlier) {
      for (const source of index.sources) {
        if (!this.#known.has(source.path)) this.#known.set(source.path, { source, index })
      }
    }
  }

  get sources(): readonly IndexedSource[] {
    return [...this.#read.values()]
  }

  /** A file whose footer was read. Throws `data-file-changed` if it was another before. */
  add(identity: SourceIdentity): void {
    const known = this.#known.get(identity.path)?.source
    if (known !== undefined && !hasSameFooter(known, identity)) throw dataFileChanged(identity.path)
    this.#read.set(identity.path, identity)
  }

  /** A file that was not read, since its rows are in a shard already. */
  addUnread(path: string): void {
    const known = this.#known.get(path)
    if (known !== undefined) this.#read.set(path, known.source)
  }

  /**
   * The checksum of what was copied from a file. Throws `data-file-changed`, as `add` does, also if
   * it was replaced since it was added.
   */
  async addCopied(
    objects: ObjectStore,
    path: string,
    copied: { readonly crc32: number; readonly pieces: Places },
  ): Promise<void> {
    const read = this.#read.get(path)
    if (read === undefined) return
    const now = await objects.find(path)
    if (now !== undefined && !isSameVersion(read, now)) throw dataFileChanged(path)
    const known = this.#known.get(path)
    const isComparable =
      known?.source.crc32 !== undefined && isSame(piecesOf(known.index, path), copied.pieces)
    if (isComparable && known.source.crc32 !== copied.crc32) throw dataFileChanged(path)
    this.#read.set(path, { ...read, crc32: copied.crc32 })
  }
}

export type Places = readonly Pick<DumpPiece, 'offset' | 'lengthBytes'>[]

const PIECES = new WeakMap<DumpIndex, ReadonlyMap<string, readonly DumpPiece[]>>()

/**
 * The parts of a dump that are copied from a file, in order. A dump may be asked for each of its
 * files, of which there may be a hundred thousand: they are grouped once.
 */
export function piecesOf(index: DumpIndex, path: string): readonly DumpPiece[] {
  const known = PIECES.get(index) ?? byLocation(index.pieces)
  PIECES.set(index, known)
  return known.get(path) ?? []
}

function byLocation(pieces: readonly DumpPiece[]): ReadonlyMap<string, readonly DumpPiece[]> {
  const grouped = new Map<string, DumpPiece[]>()
  for (const piece of pieces) {
    const same = grouped.get(piece.location)
    if (same === undefined) grouped.set(piece.location, [piece])
    else same.push(piece)
  }
  return grouped
}

export function hasSameFooter(
  { sizeBytes, footerSha256 }: IndexedSource,
  now: SourceIdentity,
): boolean {
  return sizeBytes === now.sizeBytes && footerSha256 === now.footerSha256
}

function isSame(left: Places, right: Places): boolean {
  return (
    left.length === right.length &&
    left.every(
      ({ offset, lengthBytes }, i) =>
        offset === right[i]?.offset && lengthBytes === right[i]?.lengthBytes,
    )
  )
}
