import type { ManifestFile } from '../../../core/file/data-file.ts'
import { invalidUpdate } from '../../../core/metadata/update-problem.ts'
import type { PartitionSpec } from '../../../core/partition/partition-spec.ts'
import type { DecodedManifest } from '../../../formats/manifest/manifest-reader.ts'

/**
 * Throws `update-invalid` if a manifest's own partition spec has other fields than the table's of
 * the same id, or the same in another order: scans go by the table's, and would prune by values of
 * another field. Iceberg spec, "Manifests": the header holds the spec that the file was written by.
 */
export function requireSpecOf(
  specs: ReadonlyMap<number, PartitionSpec>,
  { path, specId }: ManifestFile,
  manifest: Pick<DecodedManifest, 'spec'>,
): void {
  const fieldIds = idsOf(specs.get(specId))
  const written = idsOf(manifest.spec)
  if (fieldIds === written) return
  const detail =
    `Manifest ${path.slice(0, 1_000)} was written with the partition fields [${written}], but ` +
    `spec ${specId} of the table has [${fieldIds}]: write it with the fields of that spec`
  throw invalidUpdate(detail, { location: path, specId })
}

function idsOf(spec: PartitionSpec | undefined): string {
  return (spec?.fields ?? []).map(({ fieldId }) => fieldId).join(', ')
}
