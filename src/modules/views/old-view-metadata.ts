import type { Stores } from '../../catalog/catalog.ts'
import type { ViewState } from '../../catalog/view-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ViewMetadata } from '../../core/metadata/view-metadata.ts'
import { deletesOldMetadata, metadataLogMax } from '../../core/table-properties.ts'
import { areDeletionsHeld } from '../../lake/jobs/held-deletions.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { METADATA_FILE } from '../../lake/table/metadata-file-name.ts'
import { uuidIn } from '../../lake/table/metadata-uuid.ts'

/** Versions between two looks: a look lists the folder. */
const VERSIONS_A_LOOK = 20

type Dependencies = Stores<'leases'> & Pick<LakeServices, 'ambient' | 'log' | 'objects'>

/**
 * Deletes metadata files of a view that are older than its newest one and
 * `write.metadata.previous-versions-max` (100) before it, as those of tables, now and then. Which
 * are the view's own their content tells: others' may be in the folder. A failure is logged.
 */
export async function deleteOldViewMetadata(
  deps: Dependencies,
  { viewUuid, version, metadataLocation }: ViewState,
  { properties }: ViewMetadata,
): Promise<void> {
  if (version % VERSIONS_A_LOOK !== 0 || !deletesOldMetadata(properties)) return
  const newestOld = version - metadataLogMax(properties) - 1
  if (newestOld < 0) return
  const folder = metadataLocation.slice(0, metadataLocation.lastIndexOf('/'))
  try {
    if (await areDeletionsHeld(deps)) return
    for await (const { location } of deps.objects.list(folder)) {
      const [, , number] = METADATA_FILE.exec(location) ?? []
      if (number === undefined || Number(number) > newestOld) continue
      if ((await uuidIn(deps, location)) === viewUuid) await deps.objects.delete(location)
    }
  } catch (err) {
    if (err instanceof CatalogError && err.code === 'file-not-found') return
    deps.log.warn({ err, folder }, 'old metadata files of a view could not be deleted')
  }
}
