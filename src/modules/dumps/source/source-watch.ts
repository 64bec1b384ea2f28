import { crc32 } from 'node:zlib'
import { mapBounded } from '../../../core/bounded.ts'
import { BoundedMap } from '../../../core/bounded-map.ts'
import { CatalogError } from '../../../core/errors.ts'
import { dataFileChanged } from '../../../lake/file/known-footers.ts'
import { readFooterOf } from '../../../lake/file/read-footer.ts'
import { isSameVersion } from '../../../lake/file/source-identity.ts'
import type { ObjectStore } from '../../../objects/object-store.ts'
import type { DumpIndex, IndexedSource } from '../format/dump-index.ts'
import { hasSameFooter, piecesOf } from './source-record.ts'

const LOOKS_AT_ONCE = 8
/** Files that are looked at before the first byte is sent; the others when their turn comes. */
const LOOKS_FIRST_MAX = 500
const VERIFIED_KEPT_MAX = 100_000

/**
 * Notices when data files that dumps hand out parts of were replaced. A version that nobody knows
 * is no change yet: a copy or a restore has equal bytes, which are read again once.
 */
export class SourceWatch {
  readonly #objects: ObjectStore
  /** Other versions that have the same content. */
  readonly #verified = new BoundedMap<string, string>(VERIFIED_KEPT_MAX)
  /** Files found changed before: looked at first. */
  readonly #suspects = new BoundedMap<string, true>(1_000)

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  /** Throws `data-file-changed`, which names the first of these files that was replaced. */
  async requireUnchanged(index: DumpIndex, paths: ReadonlySet<string>): Promise<void> {
    const copied = copiedSources(index).filter(({ path }) => paths.has(path))
    const isSuspect = ({ path }: IndexedSource) => this.#suspects.get(path) === true
    const first = copied.filter((source, i) => i < LOOKS_FIRST_MAX || isSuspect(source))
    await mapBounded(first, LOOKS_AT_ONCE, (source) => this.#look(index, source))
  }

  /** Looks again at a file whose part has just been read; nothing for our own files. */
  async requireUnchangedSince(index: DumpIndex, path: string): Promise<void> {
    const source = sourcesByPath(index).get(path)
    if (source !== undefined) await this.#look(index, source)
  }

  async #look(index: DumpIndex, source: IndexedSource): Promise<void> {
    const { path, sizeBytes } = source
    const info = await this.#objects.find(path)
    // Whoever reads it says that it is missing.
    if (info === undefined) return
    if (isSameVersion(source, info)) return
    const key = `${source.footerSha256} ${source.crc32} ${path}`
    if (this.#verified.get(key) === info.version) return
    if (info.sizeBytes !== sizeBytes || !(await this.#hasSameBytes(index, source))) {
      this.#suspects.set(path, true)
      throw dataFileChanged(path)
    }
    this.#verified.set(key, info.version)
  }

  async #hasSameBytes(index: DumpIndex, source: IndexedSource): Promise<boolean> {
    const { path } = source
    try {
      const { identity } = await readFooterOf(this.#objects, path)
      if (!hasSameFooter(source, await identity())) return false
    } catch (error) {
      if (error instanceof CatalogError && error.code === 'file-not-parquet') return false
      throw error
    }
    let sum = 0
    for (const { offset, lengthBytes } of piecesOf(index, path)) {
      for await (const chunk of this.#objects.readStream(path, offset, lengthBytes)) {
        sum = crc32(chunk, sum)
      }
    }
    return sum === source.crc32
  }
}

const SOURCES = new WeakMap<DumpIndex, ReadonlyMap<string, IndexedSource>>()

/** The files that a dump has parts of, by path. */
function sourcesByPath(index: DumpIndex): ReadonlyMap<string, IndexedSource> {
  const known =
    SOURCES.get(index) ??
    new Map(
      index.sources.flatMap((source) =>
        source.crc32 === undefined ? [] : [[source.path, source] as const],
      ),
    )
  SOURCES.set(index, known)
  return known
}

function copiedSources(index: DumpIndex): readonly IndexedSource[] {
  return [...sourcesByPath(index).values()]
}
