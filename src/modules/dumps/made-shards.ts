import type { DumpDependencies } from './dump-dependencies.ts'
import {
  listDumpFolder,
  readDumpIndex,
  versionText,
  versionTextOf,
  withoutEdition,
} from './dump-folder.ts'
import { type DumpTarget, versionOf } from './dump-key.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpIndex, DumpPiece, EarlierEdition } from './format/dump-index.ts'

/** How many earlier dumps to reuse shards of: the newest have most in common with the next. */
const BASES_MAX = 4

/** Rows in a shard, and where its last known piece ends. */
interface Named {
  rowCount: number
  endBytes: number
}

/** Existing shards: of earlier dumps, and of builds that never finished. */
export class MadeShards {
  /** Earlier dumps of the table in this format, newest first. */
  readonly bases: readonly DumpIndex[]
  readonly #indexLocations: readonly string[]
  readonly #sizes: ReadonlyMap<string, number>
  readonly #named = new Map<string, Named>()

  private constructor(
    bases: readonly DumpIndex[],
    indexLocations: readonly string[],
    sizes: ReadonlyMap<string, number>,
  ) {
    this.bases = bases
    this.#indexLocations = indexLocations
    this.#sizes = sizes
    for (const { pieces } of bases) this.#addNames(pieces)
  }

  static async load(
    deps: Pick<DumpDependencies, 'log' | 'objects'>,
    folder: string,
  ): Promise<MadeShards> {
    const { indexes, shards } = await listDumpFolder(deps, folder)
    const bases: DumpIndex[] = []
    for (const { location } of indexes.slice(0, BASES_MAX)) {
      const index = await readDumpIndex(deps, location)
      if (index !== undefined) bases.push(index)
    }
    const sizes = [...shards].map(([location, { sizeBytes }]) => [location, sizeBytes] as const)
    const indexLocations = indexes.map(({ location }) => location)
    return new MadeShards(bases, indexLocations, new Map(sizes))
  }

  /** Other editions of the target's snapshot and schema, and those that their indexes remember. */
  async findEarlier(
    deps: Pick<DumpDependencies, 'log' | 'objects'>,
    target: DumpTarget,
  ): Promise<readonly EarlierEdition[]> {
    const { edition: own, ...version } = versionOf(target)
    const shared = versionText(version)
    const earlier = new Map<string | undefined, EarlierEdition>()
    for (const location of this.#indexLocations) {
      if (withoutEdition(versionTextOf(location)) !== shared) continue
      const index = await readDumpIndex(deps, location)
      if (index === undefined) continue
      const { edition, sha256, earlier: before = [] } = index
      const isOwn = edition === own
      for (const each of isOwn ? before : [{ ...(edition && { edition }), sha256 }, ...before]) {
        if (!earlier.has(each.edition)) earlier.set(each.edition, each)
      }
    }
    earlier.delete(own)
    return [...earlier.values()]
  }

  /** Whether the store holds each of these pieces, and nothing before or after it. */
  haveWhole(pieces: readonly DumpPiece[]): boolean {
    return pieces.every(({ location, offset, lengthBytes }) => {
      return offset === 0 && lengthBytes === this.#sizes.get(location)
    })
  }

  /**
   * The shard of a source; `undefined` if it is missing, too short, or its row count is unknown.
   */
  find({ shardLocation, dataFile, deleteFiles, isFiltered }: DumpSource): DumpPiece | undefined {
    const lengthBytes = this.#sizes.get(shardLocation)
    const named = this.#named.get(shardLocation)
    if (lengthBytes === undefined || lengthBytes < (named?.endBytes ?? 0)) return undefined
    // A shard is published only after its rows were counted.
    const isCounted = deleteFiles.length === 0 && !isFiltered
    const counted = isCounted ? dataFile.recordCount : undefined
    const rowCount = counted ?? named?.rowCount
    if (rowCount === undefined) return undefined
    return { location: shardLocation, offset: 0, lengthBytes, rowCount }
  }

  #addNames(pieces: readonly DumpPiece[]): void {
    const inThisDump = new Map<string, Named>()
    for (const { location, offset, lengthBytes, rowCount } of pieces) {
      const { rowCount: rows, endBytes } = inThisDump.get(location) ?? { rowCount: 0, endBytes: 0 }
      inThisDump.set(location, {
        // One piece of a shard has all of its rows; a snapshot may list a file again.
        rowCount: Math.max(rows, rowCount),
        endBytes: Math.max(endBytes, offset + lengthBytes),
      })
    }
    for (const [location, named] of inThisDump) this.#named.set(location, named)
  }
}
