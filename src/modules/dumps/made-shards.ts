import type { DumpDependencies } from './dump-dependencies.ts'
import { listDumpFolder, readDumpIndex } from './dump-folder.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpIndex, DumpPiece } from './format/dump-index.ts'

/** Earlier dumps whose shards are taken over: the newest ones have most in common with the next. */
const BASES_MAX = 4

/** Rows in a shard, and how far pieces of it reach. */
interface Named {
  rowCount: number
  endBytes: number
}

/**
 * Shards that are there already: of earlier dumps, and of builds that did not come to their end.
 */
export class MadeShards {
  /** Earlier dumps of the table in this format, newest first. */
  readonly bases: readonly DumpIndex[]
  readonly #sizes: ReadonlyMap<string, number>
  readonly #named = new Map<string, Named>()

  private constructor(bases: readonly DumpIndex[], sizes: ReadonlyMap<string, number>) {
    this.bases = bases
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
    return new MadeShards(bases, new Map(sizes))
  }

  /** Whether the store holds each of these pieces, and nothing before or after it. */
  haveWhole(pieces: readonly DumpPiece[]): boolean {
    return pieces.every(({ location, offset, lengthBytes }) => {
      return offset === 0 && lengthBytes === this.#sizes.get(location)
    })
  }

  /**
   * The whole shard of a source; `undefined` when it has to be made: too short, absent, or its rows
   * not known.
   */
  find({ shardLocation, dataFile, deleteFiles }: DumpSource): DumpPiece | undefined {
    const lengthBytes = this.#sizes.get(shardLocation)
    const named = this.#named.get(shardLocation)
    if (lengthBytes === undefined || lengthBytes < (named?.endBytes ?? 0)) return undefined
    // A shard is put in its place only after its rows were counted.
    const counted = deleteFiles.length === 0 ? dataFile.recordCount : undefined
    const rowCount = counted ?? named?.rowCount
    if (rowCount === undefined) return undefined
    return { location: shardLocation, offset: 0, lengthBytes, rowCount }
  }

  #addNames(pieces: readonly DumpPiece[]): void {
    const ofThisDump = new Map<string, Named>()
    for (const { location, offset, lengthBytes, rowCount } of pieces) {
      const { rowCount: rows, endBytes } = ofThisDump.get(location) ?? { rowCount: 0, endBytes: 0 }
      ofThisDump.set(location, {
        rowCount: rows + rowCount,
        endBytes: Math.max(endBytes, offset + lengthBytes),
      })
    }
    for (const [location, named] of ofThisDump) this.#named.set(location, named)
  }
}
