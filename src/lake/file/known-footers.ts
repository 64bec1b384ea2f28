import type { PathStore } from '../../catalog/path-store.ts'
import { BoundedMap } from '../../core/bounded-map.ts'
import { CatalogError } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { type FooterOfFile, readFooterOf } from './read-footer.ts'

/** Files that are looked up together. */
const FILES_TOGETHER = 500
/** Several are read at once, some of which may be the last of one group and some of the next. */
const GROUPS_KEPT = 2

type Group = ReadonlyMap<string, string>

interface Source {
  readonly dataFile: Pick<DataFile, 'path'>
}

/**
 * The footers that data files of a table had when they were committed, as far as they were read
 * then. Looked up some hundred at a time, as the files are read: in the order given.
 */
export class KnownFooters {
  readonly #paths: Pick<PathStore, 'findFooters'>
  readonly #tableUuid: string
  readonly #sources: readonly Source[]
  readonly #groups = new BoundedMap<number, Promise<Group>>(GROUPS_KEPT)

  constructor(
    paths: Pick<PathStore, 'findFooters'>,
    tableUuid: string,
    sources: readonly Source[],
  ) {
    this.#paths = paths
    this.#tableUuid = tableUuid
    this.#sources = sources
  }

  /**
   * The footer of the source at the index. Throws `data-file-changed` if it is not the one that was
   * committed, which a file replaced in place by one of equal size and as many rows has not.
   */
  async read(objects: ObjectStore, index: number): Promise<FooterOfFile> {
    const { path } = (this.#sources[index] as Source).dataFile
    const known = (await this.#groupOf(index)).get(path)
    const file = await readFooterOf(objects, path)
    if (known === undefined) return file
    if ((await file.identity()).footerSha256.startsWith(known)) return file
    throw dataFileChanged(path)
  }

  #groupOf(index: number): Promise<Group> {
    const first = index - (index % FILES_TOGETHER)
    const known = this.#groups.get(first)
    if (known !== undefined) return known
    const files = this.#sources.slice(first, first + FILES_TOGETHER)
    const group = this.#paths.findFooters(
      this.#tableUuid,
      files.map(({ dataFile }) => dataFile.path),
    )
    this.#groups.set(first, group)
    return group
  }
}

export function dataFileChanged(path: string): CatalogError {
  return new CatalogError(
    'data-file-changed',
    `${path} was replaced by a file of other content: restore it, or remove it from the table`,
    { facts: { path } },
  )
}
