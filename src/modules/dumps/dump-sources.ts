import type { DataFile } from '../../core/file/data-file.ts'
import { partitionConstants } from '../../core/partition/partition-constants.ts'
import { allowedTo } from '../../lake/convert/allowed-to.ts'
import type { ReadSnapshot } from '../../lake/deletion/file-holds.ts'
import type { AllowedFiles } from '../../lake/file/allowed-files.ts'
import { columnsDigest, columnsText } from '../../lake/file/columns-digest.ts'
import { toCommitOrder } from '../../lake/scan/commit-order.ts'
import { planScan } from '../../lake/scan/plan-files.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { NO_SNAPSHOT_ID } from './dump-folder.ts'
import { type DumpTarget, extensionOf, folderOf } from './dump-key.ts'
import { DIALECT_VERSION } from './format/dialect-version.ts'
import {
  type DeletesIdentity,
  deletesIdentity,
  type FileIdentity,
  shardKey,
} from './format/shard-key.ts'

/** One data file of a dump, and the location of its converted rows. */
export interface DumpSource {
  readonly dataFile: DataFile
  readonly sequenceNumber: bigint
  readonly deleteFiles: readonly DataFile[]
  readonly shardLocation: string
  /** Whether rows may be left out that the manifest counts. */
  readonly isFiltered: boolean
}

/**
 * The data files of a snapshot in commit order (sequence number, then path), so that each dump of
 * an append-only table begins with the bytes of the previous one. Throws `location-not-allowed`
 * before any of them is read, so that no answer begins that cannot end.
 */
export async function listDumpSources(
  deps: Pick<DumpDependencies, 'manifests' | 'objects' | 'warehouse'>,
  target: DumpTarget,
): Promise<readonly DumpSource[]> {
  const { state, schema } = target
  const { definition } = state
  const { snapshot } = readOf(target)
  const plan = await planScan(deps, state, { snapshot, schema })
  const shards = `${folderOf(deps.warehouse, target)}/shards`
  const { restriction } = target
  const isFiltered = restriction !== 'unrestricted'
  const columns = columnsText(definition, schema) + (isFiltered ? restriction.text : '')
  const allowed = allowedTo(restriction, deps.objects)
  const identities = new DeletesIdentities()
  const sources = function* (): Iterable<DumpSource> {
    for (const { dataFile, sequenceNumber, deleteFiles } of plan.plannedFiles([])) {
      allowed.require(dataFile.path)
      const key = shardKey({
        dataFile: { ...identityOf(dataFile), recordCount: dataFile.recordCount },
        deleteFiles: identities.of(deleteFiles, allowed),
        constants: partitionConstants(definition.partitionSpecs, dataFile),
        schemaJson: columns,
        format: target.format,
        compression: target.compression,
        dialectVersion: DIALECT_VERSION,
      })
      const shardLocation = `${shards}/${key}.${extensionOf(target)}`
      yield { dataFile, sequenceNumber, deleteFiles, shardLocation, isFiltered }
    }
  }
  return await toCommitOrder(sources())
}

/** What a dump reads; no snapshot if the table had none. */
export function readOf({ state, snapshot }: Pick<DumpTarget, 'snapshot' | 'state'>): ReadSnapshot {
  return { state, snapshot: snapshot.snapshotId === NO_SNAPSHOT_ID ? undefined : snapshot }
}

/**
 * Location of the shard of a dump without rows, in a format that shows its columns nevertheless.
 */
export function emptyShardLocation(warehouse: string, target: DumpTarget): string {
  const sha256 = columnsDigest(target.state.definition, target.schema)
  const name = `empty-${DIALECT_VERSION}-${sha256}.${extensionOf(target)}`
  return `${folderOf(warehouse, target)}/shards/${name}`
}

/** Data files to which the same delete files apply have one list of them. */
class DeletesIdentities {
  readonly #byList = new WeakMap<readonly DataFile[], DeletesIdentity>()

  of(deleteFiles: readonly DataFile[], allowed: Pick<AllowedFiles, 'require'>): DeletesIdentity {
    const known = this.#byList.get(deleteFiles)
    if (known !== undefined) return known
    for (const { path } of deleteFiles) allowed.require(path)
    const identity = deletesIdentity(deleteFiles.map(identityOf))
    this.#byList.set(deleteFiles, identity)
    return identity
  }
}

function identityOf(file: DataFile): FileIdentity {
  const { path, fileSizeBytes: sizeBytes, contentOffset } = file
  return { path, sizeBytes, ...(contentOffset !== undefined && { contentOffset }) }
}
