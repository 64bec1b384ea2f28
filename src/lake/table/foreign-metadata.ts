import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { isDropMark } from './drop-mark.ts'
import { isMetadataName, METADATA_JSON } from './metadata-file-name.ts'
import { uuidIn } from './metadata-uuid.ts'
import { isNameMark } from './name-mark.ts'

type Reading = { readonly objects: Pick<ObjectStore, 'readRange'> }

const READS_AT_ONCE = 16

export interface SortedMetadata {
  /** Those that say of themselves that they are of the table. */
  readonly own: readonly string[]
  /** Those of other tables, or of nobody that they name. */
  readonly foreign: readonly string[]
  /** Those that do not say whose they are, such as manifests. */
  readonly unsaid: readonly string[]
}

/** Sorts the files of a metadata folder by the UUID that is in them. What is gone is left out. */
export async function sortMetadata(
  deps: Reading,
  files: readonly string[],
  tableUuid: string,
): Promise<SortedMetadata> {
  const says = (file: string) => isMetadataName(file) || isDropMark(file) || isNameMark(file)
  const said = files.filter(says)
  const owners = await mapBounded(said, READS_AT_ONCE, (file) => ownerOf(deps, file))
  return {
    own: said.filter((_, i) => owners[i] === tableUuid),
    foreign: said.filter((_, i) => owners[i] !== tableUuid && owners[i] !== GONE),
    unsaid: files.filter((file) => !says(file)),
  }
}

/** A metadata file below the folder that is not of this table, if there is one. */
export async function findForeignMetadata(
  deps: { readonly objects: Pick<ObjectStore, 'list' | 'readRange'> },
  folder: string,
  tableUuid: string,
): Promise<string | undefined> {
  for await (const { location } of deps.objects.list(folder)) {
    if (!METADATA_JSON.test(location)) continue
    const owner = await ownerOf(deps, location)
    if (owner !== tableUuid && owner !== GONE) return location
  }
  return undefined
}

const GONE = 'gone'

async function ownerOf(deps: Reading, file: string): Promise<string | undefined> {
  try {
    return await uuidIn(deps, file)
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'file-not-found') return GONE
    throw error
  }
}
