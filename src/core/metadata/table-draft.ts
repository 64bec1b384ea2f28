import type { SnapshotRef } from '../table/snapshot.ts'
import type { StoredJson, TableDefinition, TableState } from '../table/table.ts'
import { ChangingMap } from './changing-map.ts'
import { SnapshotDraft } from './snapshot-draft.ts'
import type { SpecIndex } from './spec-index.ts'
import type { UpdateContext } from './table-update.ts'

/** A table to which updates are applied one by one. */
export class TableDraft {
  /** The four maps below override those of the definition. */
  definition: TableDefinition
  readonly properties: ChangingMap<string>
  readonly statistics: ChangingMap<StoredJson>
  readonly partitionStatistics: ChangingMap<StoredJson>
  readonly encryptionKeys: ChangingMap<StoredJson>
  /** Every ref except `main`. */
  readonly refs: ChangingMap<SnapshotRef>
  readonly snapshots: SnapshotDraft
  /** The main branch; its snapshot exists. */
  mainSnapshotId: bigint | undefined
  lastSequenceNumber: bigint
  /** The schema that a rollback has brought back. */
  schemaIdOfRollback: number | undefined
  lastAddedSchemaId: number | undefined
  lastAddedSpecId: number | undefined
  lastAddedSortOrderId: number | undefined
  /** Created at first use and kept up to date from then on. */
  schemaIdsByKey: Map<string, number> | undefined
  specIndex: SpecIndex | undefined
  sortOrderIdsByKey: Map<string, number> | undefined

  constructor(base: TableState, { findSnapshot }: UpdateContext) {
    const { currentSnapshot, definition } = base
    this.definition = asWritten(base)
    this.properties = new ChangingMap(definition.properties)
    this.statistics = new ChangingMap(definition.statistics ?? {})
    this.partitionStatistics = new ChangingMap(definition.partitionStatistics ?? {})
    this.encryptionKeys = new ChangingMap(definition.encryptionKeys ?? {})
    this.refs = new ChangingMap(base.refs)
    this.snapshots = new SnapshotDraft((id) =>
      id === currentSnapshot?.snapshotId ? currentSnapshot : findSnapshot?.(id),
    )
    this.mainSnapshotId = currentSnapshot?.snapshotId
    this.lastSequenceNumber = base.lastSequenceNumber
  }

  change(part: Partial<TableDefinition>): void {
    this.definition = { ...this.definition, ...part }
  }

  /** The definition including the maps; the original object if nothing was changed. */
  finishDefinition(): TableDefinition {
    const properties = this.properties.toRecord()
    const isSame = properties === this.definition.properties
    let definition = isSame ? this.definition : { ...this.definition, properties }
    definition = withMap(definition, 'statistics', this.statistics)
    definition = withMap(definition, 'partitionStatistics', this.partitionStatistics)
    return withMap(definition, 'encryptionKeys', this.encryptionKeys)
  }
}

/** A table of version 1 with a sequence number has manifests of version 2. */
function asWritten({ definition, lastSequenceNumber }: TableState): TableDefinition {
  const isUpgraded = definition.formatVersion === 1 && lastSequenceNumber > 0n
  return isUpgraded ? { ...definition, formatVersion: 2 } : definition
}

/** An empty map is absent. */
function withMap(
  definition: TableDefinition,
  name: 'statistics' | 'partitionStatistics' | 'encryptionKeys',
  map: ChangingMap<StoredJson>,
): TableDefinition {
  const { [name]: before, ...rest } = definition
  const record = map.toRecord()
  if (map.size === 0) return before === undefined ? definition : rest
  return record === before ? definition : { ...definition, [name]: record }
}
