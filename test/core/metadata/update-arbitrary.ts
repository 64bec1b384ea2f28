import fc from 'fast-check'
import type { TableUpdate, UnboundPartitionField } from '../../../src/core/metadata/table-update.ts'
import type { SnapshotRef } from '../../../src/core/table/snapshot.ts'
import { currentSchema } from '../../../src/core/table/table.ts'
import { BORN_MS, field, schemaOf, snapshotOf, TableModel, tableOf } from './metadata-samples.ts'

/** Random numbers, of which an update that is valid for a table is made. */
type Dice = readonly number[]

export interface Story {
  readonly version: 1 | 2 | 3
  /** Each is valid after those before it. */
  readonly updates: readonly TableUpdate[]
}

const dice: fc.Arbitrary<Dice> = fc.array(fc.nat(1_000), { minLength: 6, maxLength: 6 })

export const stories: fc.Arbitrary<Story> = fc
  .record({
    version: fc.constantFrom(1 as const, 2 as const, 3 as const),
    rolls: fc.array(dice, { minLength: 1, maxLength: 40 }),
  })
  .map(({ version, rolls }) => {
    const model = new TableModel(tableOf(version))
    const updates: TableUpdate[] = []
    for (const roll of rolls) {
      const update = updateFor(model, roll)
      model.apply([update])
      updates.push(update)
    }
    return { version, updates }
  })

/** Another one after every change: removed ids stay taken in a batch. */
function freshSnapshotId({ state }: TableModel): bigint {
  return 2n ** 62n - BigInt(state.lastUpdatedMs - BORN_MS)
}

function updateFor(
  model: TableModel,
  [kind = 0, a = 0, b = 0, c = 0, d = 0, e = 0]: Dice,
): TableUpdate {
  const { definition } = model.state
  const makers: readonly (() => TableUpdate | undefined)[] = [
    () => addSnapshot(model, [a, b, c]),
    () => addSnapshot(model, [a, b, c]),
    () => setRef(model, [a, b, c, d, e]),
    () => setRef(model, [0, b, c, d, e]),
    () =>
      pickOne([...model.snapshots.keys()], a, (id) => ({
        action: 'remove-snapshots',
        snapshotIds: [id],
      })),
    () => ({ action: 'remove-snapshot-ref', refName: refName(a) }),
    () => addSchema(model, a, b),
    () => ({
      action: 'set-current-schema',
      schemaId: currentSchemaChoices(model)[a % currentSchemaChoices(model).length] ?? 0,
    }),
    () => addSpec(model, a, b),
    () => ({ action: 'set-default-spec', specId: pick(usableSpecIds(model), a) }),
    () => ({
      action: 'add-sort-order',
      sortOrder: {
        fields: [
          {
            sourceId: 1,
            transform: { kind: 'identity' },
            direction: 'asc',
            nullOrder: 'nulls-last',
          },
        ].slice(a % 2) as never,
      },
    }),
    () => ({
      action: 'set-default-sort-order',
      sortOrderId: pick(
        definition.sortOrders.map((o) => o.orderId),
        a,
      ),
    }),
    () => ({ action: 'set-properties', updates: { [`k${a % 4}`]: String(b) } }),
    () => ({ action: 'remove-properties', removals: [`k${a % 4}`] }),
    () => ({ action: 'set-location', location: `s3://bucket/${a % 3}/` }),
    () => ({
      action: 'upgrade-format-version',
      formatVersion:
        a % 5 === 0 ? Math.min(3, definition.formatVersion + 1) : definition.formatVersion,
    }),
    () => statistics(model, a, b),
    () =>
      pickOne([...model.snapshots.keys()], a, (snapshotId) => ({
        action: b % 2 === 0 ? 'remove-statistics' : 'remove-partition-statistics',
        snapshotId,
      })),
    () => removeSpecs(model, a),
    () => removeSchemas(model, a),
    () => encryptionKey(model, a, b),
  ]
  const made = makers[kind % makers.length]?.()
  return made ?? { action: 'set-properties', updates: { fallback: String(a) } }
}

function addSnapshot(model: TableModel, [a = 0, b = 0, c = 0]: Dice): TableUpdate {
  const { definition, lastSequenceNumber, currentSnapshot } = model.state
  const { formatVersion, nextRowId = 0n } = definition
  const hasParent = currentSnapshot !== undefined && a % 4 > 0
  const next = lastSequenceNumber + 1n + BigInt(b % 3)
  const snapshot = snapshotOf(freshSnapshotId(model), formatVersion === 1 ? 0n : next, {
    parentSnapshotId: hasParent ? currentSnapshot.snapshotId : null,
    timestampMs: BORN_MS + c * 1_000 - 500_000,
    summary: { 'added-records': String(c) },
    ...(formatVersion === 3 && { firstRowId: nextRowId + BigInt(a % 2), addedRows: BigInt(c) }),
  })
  return { action: 'add-snapshot', snapshot }
}

function setRef(
  model: TableModel,
  [a = 0, b = 0, c = 0, d = 0, e = 0]: Dice,
): TableUpdate | undefined {
  const name = refName(a)
  const isTag = name !== 'main' && b % 3 === 0
  return pickOne([...model.snapshots.keys()], c, (snapshotId) => {
    const ref: SnapshotRef = {
      type: isTag ? 'tag' : 'branch',
      snapshotId,
      ...(d % 2 === 0 && { maxRefAgeMs: d + 1 }),
      ...(!isTag && e % 2 === 0 && { minSnapshotsToKeep: e + 1 }),
    }
    return { action: 'set-snapshot-ref', refName: name, ref }
  })
}

function refName(a: number): string {
  return ['main', 'b', '__proto__'][a % 3] ?? 'main'
}

function addSchema(model: TableModel, a: number, b: number): TableUpdate {
  const base = currentSchema(model.state.definition)
  const id = model.state.definition.lastColumnId + 1
  const added = field(id, `c${id}`, 'string', a % 2 === 0 ? { doc: 'd' } : {})
  const kept = base.fields.filter((f) => f.id <= 3 || b % 2 === 0)
  return { action: 'add-schema', schema: a % 5 === 0 ? base : schemaOf(...kept, added) }
}

/** Every schema here has the columns 1 to 3, by which tables are partitioned and sorted. */
function currentSchemaChoices(model: TableModel): readonly number[] {
  return model.state.definition.schemas.map((s) => s.schemaId)
}

function addSpec(model: TableModel, a: number, b: number): TableUpdate {
  const { definition } = model.state
  const fresh: UnboundPartitionField = {
    name: `p${a % 5}`,
    sourceId: 1,
    transform: { kind: 'bucket', buckets: 2 + (a % 5) },
  }
  if (definition.formatVersion > 1) {
    const fields = [fresh, { name: 'day', sourceId: 3, transform: { kind: 'day' } } as const]
    return { action: 'add-spec', spec: { fields: fields.slice(b % 3) } }
  }
  // Version 1 only ever adds fields at the end.
  const longest = definition.partitionSpecs.reduce((x, y) =>
    y.fields.length > x.fields.length ? y : x,
  ).fields
  const isKnown = longest.some((f) => f.name === fresh.name)
  return { action: 'add-spec', spec: { fields: isKnown ? longest : [...longest, fresh] } }
}

function usableSpecIds(model: TableModel): readonly number[] {
  return model.state.definition.partitionSpecs.map((s) => s.specId)
}

function removeSpecs(model: TableModel, a: number): TableUpdate | undefined {
  const { partitionSpecs, defaultSpecId, formatVersion } = model.state.definition
  if (formatVersion === 1) return undefined
  const others = partitionSpecs.map((s) => s.specId).filter((id) => id !== defaultSpecId)
  return pickOne(others, a, (id) => ({ action: 'remove-partition-specs', specIds: [id] }))
}

function removeSchemas(model: TableModel, a: number): TableUpdate | undefined {
  const { schemas, currentSchemaId } = model.state.definition
  // Of snapshots, even such as may become current later.
  const used = new Set([...model.snapshots.values()].map((s) => s.schemaId))
  const others = schemas
    .map((s) => s.schemaId)
    .filter((id) => id !== currentSchemaId && !used.has(id))
  return pickOne(others, a, (id) => ({ action: 'remove-schemas', schemaIds: [id] }))
}

function statistics(model: TableModel, a: number, b: number): TableUpdate | undefined {
  return pickOne([...model.snapshots.keys()], a, (snapshotId) => ({
    action: b % 2 === 0 ? 'set-statistics' : 'set-partition-statistics',
    snapshotId,
    statistics: {
      'snapshot-id': snapshotId,
      'statistics-path': `s3://bucket/${b}.puffin`,
      'file-size-in-bytes': b,
    },
  }))
}

function encryptionKey(model: TableModel, a: number, b: number): TableUpdate | undefined {
  if (model.state.definition.formatVersion < 3) return undefined
  const keyId = `key-${a % 3}`
  if (b % 3 === 0) return { action: 'remove-encryption-key', keyId }
  const encryptionKey = { 'key-id': keyId, 'encrypted-key-metadata': 'AAEC' }
  return { action: 'add-encryption-key', keyId, encryptionKey }
}

function pick(ids: readonly number[], roll: number): number {
  return ids[roll % ids.length] ?? 0
}

function pickOne<T>(
  list: readonly T[],
  roll: number,
  make: (item: T) => TableUpdate,
): TableUpdate | undefined {
  const item = list[roll % list.length]
  return item === undefined ? undefined : make(item)
}
