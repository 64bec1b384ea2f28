import { UNSORTED } from '../partition/partition-spec.ts'
import { keepColumnKin } from '../schema/column-kin.ts'
import { keepLostNames } from '../schema/lost-names.ts'
import { requireBoundedDefinition } from '../table/definition-size.ts'
import type { SnapshotLogEntry } from '../table/snapshot.ts'
import { loggedTimestampMs, nextTimestampMs } from '../table/snapshot-log.ts'
import {
  currentSchema,
  defaultSpec,
  type StoredJson,
  type TableDefinition,
  type TableState,
} from '../table/table.ts'
import { withoutSlashes } from './location.ts'
import {
  checkProperties,
  removeProperties,
  setProperties,
  upgradeFormatVersion,
} from './property-update.ts'
import { addSchema, checkPromotions, removeSchemas, setCurrentSchema } from './schema-update.ts'
import { addSnapshot, dropDangling, removeSnapshotRef, setSnapshotRef } from './snapshot-update.ts'
import { addSortOrder, setDefaultSortOrder } from './sort-order-update.ts'
import { checkDefaults } from './spec-check.ts'
import { addSpec, removeSpecs, setDefaultSpec } from './spec-update.ts'
import { TableDraft } from './table-draft.ts'
import type { TableChange, TableUpdate, UpdateContext } from './table-update.ts'
import { applyInTurn, invalidUpdate, shortened } from './update-problem.ts'

/**
 * Applies all updates or none. Throws `update-invalid` for an update that can never apply, and
 * `commit-conflict` for one that the table has overtaken; both name the update. The base may be a
 * table that is being created.
 */
export function applyTableUpdates(
  base: TableState,
  updates: readonly TableUpdate[],
  context: UpdateContext,
): TableChange {
  const draft = new TableDraft(base, context)
  applyInTurn(updates, (update) => applyUpdate(draft, update))
  dropDangling(draft)
  const updated = draft.finishDefinition()
  if (updated !== base.definition) {
    checkDefinition(updated, draft, base.definition)
    const isRollback = draft.schemaIdOfRollback === updated.currentSchemaId
    // Files of then are as the schema of then says.
    if (!isRollback) checkPromotions(base, updated, updates)
  }
  const named = keepLostNames(base.definition, updated)
  const definition = keepColumnKin(base.definition, named)
  if (definition !== base.definition) requireBoundedDefinition(definition, base.definition)
  return changeOf(base, definition, { draft, context })
}

type Rules = {
  readonly [Action in TableUpdate['action']]: (
    draft: TableDraft,
    update: Extract<TableUpdate, { readonly action: Action }>,
  ) => void
}

const RULES: Rules = {
  'assign-uuid': (draft, { uuid }) => assignUuid(draft, uuid),
  'upgrade-format-version': (draft, update) => upgradeFormatVersion(draft, update.formatVersion),
  'add-schema': (draft, { schema }) => addSchema(draft, schema),
  'set-current-schema': (draft, { schemaId }) => setCurrentSchema(draft, schemaId),
  'remove-schemas': (draft, { schemaIds }) => removeSchemas(draft, schemaIds),
  'add-spec': (draft, { spec }) => addSpec(draft, spec),
  'set-default-spec': (draft, { specId }) => setDefaultSpec(draft, specId),
  'remove-partition-specs': (draft, { specIds }) => removeSpecs(draft, specIds),
  'add-sort-order': (draft, { sortOrder }) => addSortOrder(draft, sortOrder),
  'set-default-sort-order': (draft, update) => setDefaultSortOrder(draft, update.sortOrderId),
  'add-snapshot': (draft, { snapshot }) => addSnapshot(draft, snapshot),
  'set-snapshot-ref': (draft, { refName, ref }) => setSnapshotRef(draft, refName, ref),
  'remove-snapshot-ref': (draft, { refName }) => removeSnapshotRef(draft, refName),
  'remove-snapshots': ({ snapshots }, { snapshotIds }) => {
    for (const snapshotId of snapshotIds) snapshots.remove(snapshotId)
  },
  'set-location': (draft, { location }) => setLocation(draft, location),
  'set-properties': (draft, { updates }) => setProperties(draft, updates),
  'remove-properties': (draft, { removals }) => removeProperties(draft, removals),
  'set-statistics': (draft, { snapshotId, statistics }) => {
    requireSnapshot(draft, snapshotId)
    draft.statistics.set(String(snapshotId), statistics)
  },
  'remove-statistics': (draft, { snapshotId }) => draft.statistics.delete(String(snapshotId)),
  'set-partition-statistics': (draft, { snapshotId, statistics }) => {
    requireSnapshot(draft, snapshotId)
    draft.partitionStatistics.set(String(snapshotId), statistics)
  },
  'remove-partition-statistics': (draft, { snapshotId }) =>
    draft.partitionStatistics.delete(String(snapshotId)),
  'add-encryption-key': (draft, update) => addEncryptionKey(draft, update),
  'remove-encryption-key': (draft, { keyId }) => draft.encryptionKeys.delete(keyId),
}

function applyUpdate(draft: TableDraft, update: TableUpdate): void {
  const rule = RULES[update.action] as (draft: TableDraft, update: TableUpdate) => void
  rule(draft, update)
}

function assignUuid({ definition }: TableDraft, uuid: string): void {
  if (definition.tableUuid.toLowerCase() !== uuid.toLowerCase()) {
    throw invalidUpdate('Cannot reassign uuid')
  }
}

function setLocation(draft: TableDraft, given: string): void {
  const location = withoutSlashes(given)
  if (location === '') throw invalidUpdate('Invalid location: it is empty')
  if (location !== draft.definition.location) draft.change({ location })
}

function requireSnapshot({ snapshots }: TableDraft, snapshotId: bigint): void {
  if (snapshots.find(snapshotId) !== undefined) return
  throw invalidUpdate(`Cannot set statistics of unknown snapshot: ${snapshotId}`)
}

function addEncryptionKey(
  draft: TableDraft,
  { keyId, encryptionKey }: Extract<TableUpdate, { readonly action: 'add-encryption-key' }>,
): void {
  if (draft.definition.formatVersion < 3) {
    throw invalidUpdate('Encryption keys are not supported until v3')
  }
  const known = draft.encryptionKeys.get(keyId)
  if (known === undefined) {
    draft.encryptionKeys.set(keyId, encryptionKey)
  } else if (jsonText(known) !== jsonText(encryptionKey)) {
    throw invalidUpdate(`Cannot change encryption key: ${shortened(keyId)}`)
  }
}

function jsonText(json: StoredJson): string {
  return JSON.stringify(json, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
}

function checkDefinition(
  definition: TableDefinition,
  { mainSnapshotId, snapshots }: TableDraft,
  before: TableDefinition,
): void {
  const sortOrder = definition.sortOrders.find((o) => o.orderId === definition.defaultSortOrderId)
  // Only for a table that is being created.
  if (definition.schemas.length === 0) return
  checkDefaults({
    schema: currentSchema(definition),
    spec: defaultSpec(definition),
    sortOrder: sortOrder ?? UNSORTED,
  })
  checkProperties(definition.properties, before.properties)
  const schemaId =
    mainSnapshotId === undefined ? undefined : snapshots.find(mainSnapshotId)?.schemaId
  if (schemaId !== undefined && !definition.schemas.some((s) => s.schemaId === schemaId)) {
    throw invalidUpdate(`Cannot remove the schema of the current snapshot: ${schemaId}`)
  }
}

/**
 * Readers in Java require that the snapshot log is sorted, that the table was updated no earlier
 * than its last entry, and that the entry is of the current snapshot. The table's time increases
 * with every change. A change that moves the main branch adds one entry, later than all others:
 * with the time of the snapshot if it is new, as `loggedTimestampMs` says, else with the table's
 * new time. A snapshot that was current only between two updates of one commit was never visible,
 * and has no entry.
 */
function changeOf(
  base: TableState,
  definition: TableDefinition,
  { draft, context }: { readonly draft: TableDraft; readonly context: UpdateContext },
): TableChange {
  const { snapshots, mainSnapshotId } = draft
  const newSnapshots = snapshots.added
  const removedSnapshotIds = snapshots.removedIds
  const refs = draft.refs.toRecord()
  const isMainSame = mainSnapshotId === base.currentSnapshot?.snapshotId
  const isSame =
    definition === base.definition &&
    refs === base.refs &&
    isMainSame &&
    draft.lastSequenceNumber === base.lastSequenceNumber &&
    newSnapshots.length === 0 &&
    removedSnapshotIds.length === 0
  if (isSame) return { state: base, newSnapshots, removedSnapshotIds, newLogEntries: [] }

  const { nowMs, lastLoggedMs = base.lastUpdatedMs } = context
  const timestampMs = nextTimestampMs(nowMs, base.lastUpdatedMs)
  const current = mainSnapshotId === undefined ? undefined : snapshots.find(mainSnapshotId)
  const isNew = newSnapshots.some(({ snapshotId }) => snapshotId === mainSnapshotId)
  const loggedMs =
    isNew && current !== undefined
      ? loggedTimestampMs(current.timestampMs, { lastLoggedMs, nowMs, timestampMs })
      : timestampMs
  const newLogEntries: SnapshotLogEntry[] =
    isMainSame || mainSnapshotId === undefined
      ? []
      : [{ timestampMs: loggedMs, snapshotId: mainSnapshotId }]
  const state = {
    ...base,
    definition,
    lastSequenceNumber: draft.lastSequenceNumber,
    lastUpdatedMs: Math.max(timestampMs, loggedMs),
    currentSnapshot: current,
    refs,
  }
  return { state, newSnapshots, removedSnapshotIds, newLogEntries }
}
