import fc from 'fast-check'
import type { DataFile } from '../../src/core/file/data-file.ts'
import type { PartitionSpec } from '../../src/core/partition/partition-spec.ts'
import { applyTransform, parseTransform } from '../../src/core/partition/transform.ts'
import type { Snapshot } from '../../src/core/table/snapshot.ts'
import { currentSchema, getSpec, type TableState } from '../../src/core/table/table.ts'
import { encodeSingleValue } from '../../src/core/value/single-value.ts'
import type { PrimitiveType, Schema } from '../../src/core/value/type.ts'
import type { Value } from '../../src/core/value/value.ts'
import type { LakeServices } from '../../src/lake/lake.ts'
import type { FileChange } from '../../src/lake/snapshot/snapshot-change.ts'
import { writeSnapshot } from '../../src/lake/snapshot/snapshot-writer.ts'
import { getTable } from '../../src/lake/table/table-lookup.ts'

/**
 * What a snapshot holds by an account of our own: data files and their sequence numbers by path.
 */
export type LiveFiles = ReadonlyMap<string, { readonly file: DataFile; readonly sequence: bigint }>

export const LETTERS = ['a', 'b', 'é', '😀'] as const

export interface Draft {
  readonly n: number
  readonly span: number
  readonly day: number | null
  readonly letter: number
  readonly x: number
  /** Which metrics are left out, a bit for each. */
  readonly missing: number
}

export const DRAFTS: fc.Arbitrary<Draft> = fc.record({
  n: fc.integer({ min: -40, max: 40 }),
  span: fc.nat({ max: 10 }),
  day: fc.option(fc.nat({ max: 5 }), { freq: 8 }),
  letter: fc.nat({ max: LETTERS.length - 1 }),
  x: fc.constantFrom(-1.5, -0, 0, 2.25, 1e300, Number.NaN),
  missing: fc.oneof(fc.constant(0), fc.nat({ max: 127 })),
})

/** A file of one day and one letter, as the table's schema and spec are now. It need not exist. */
export function draftedFile(state: TableState, draft: Draft, name: string): DataFile {
  const { definition } = state
  const spec = getSpec(definition, definition.defaultSpecId)
  const types = currentSchema(definition).fields.map((field) => field.type as PrimitiveType)
  const letter = LETTERS[draft.letter] as string
  const number = (value: number): Value => (types[0]?.kind === 'long' ? BigInt(value) : value)
  const lows = [number(draft.n), draft.day, letter, draft.x]
  const highs = [number(draft.n + draft.span), draft.day, `${letter}zz`, draft.x]
  const bounds = (values: readonly (Value | null)[]) =>
    new Map(
      values.flatMap((value, i): [number, Uint8Array][] => {
        const type = types[i]
        const isKnown = type !== undefined && value !== null && !Number.isNaN(value)
        return isKnown ? [[i + 1, encodeSingleValue(type, value)]] : []
      }),
    )
  const counts = (...numbers: number[]) => new Map(numbers.map((count, i) => [i + 1, count]))
  const metrics = {
    columnSizes: counts(10, 20, 30, 40),
    valueCounts: counts(3, 3, 3, 3),
    nullValueCounts: counts(0, draft.day === null ? 3 : 0, 0, 0),
    nanValueCounts: new Map([[4, Number.isNaN(draft.x) ? 3 : 0]]),
    lowerBounds: bounds(lows),
    upperBounds: bounds(highs),
  }
  const known = Object.entries(metrics).filter((_, i) => (draft.missing & (1 << i)) === 0)
  return {
    content: 'data',
    path: `${definition.location}/data/${name}.parquet`,
    format: 'parquet',
    specId: spec.specId,
    partition: spec.fields.map(({ sourceId, transform }) =>
      applyTransform(transform, types[sourceId - 1] as PrimitiveType, lows[sourceId - 1] ?? null),
    ),
    recordCount: 3,
    fileSizeBytes: 1000 + draft.span,
    ...Object.fromEntries(known),
    ...(draft.missing % 2 === 0 && { splitOffsets: [4, 100 + draft.span] }),
  }
}

/** The next spec of the table: it changes what manifests say of their partitions. */
export function evolvedSpec(specId: number): PartitionSpec {
  const fields = [
    { fieldId: 1001, sourceId: 2, name: 'day', transform: parseTransform('identity') },
    { fieldId: 1002, sourceId: 3, name: 's_trunc', transform: parseTransform('truncate[1]') },
    { fieldId: 1003, sourceId: 1, name: 'n_bucket', transform: parseTransform('bucket[4]') },
  ]
  return { specId, fields: fields.slice(specId % 2 === 0 ? 0 : 1) }
}

/** The schema after `n` was widened, which leaves bounds of four bytes behind. */
export function widened(schema: Schema): Schema {
  const fields = schema.fields.map((field) =>
    field.id === 1 ? { ...field, type: { kind: 'long' } as const } : field,
  )
  return { ...schema, schemaId: schema.schemaId + 1, fields }
}

/** Commits metadata alone, as the commit path does. */
export async function commitState(
  deps: LakeServices,
  before: TableState,
  {
    snapshot,
    definition = before.definition,
  }: {
    readonly snapshot?: Snapshot
    readonly definition?: TableState['definition']
  },
): Promise<void> {
  const current = snapshot ?? before.currentSnapshot
  const outcome = await deps.catalog.tables.commit({
    tables: [
      {
        expectedVersion: before.version,
        state: {
          ...before,
          definition,
          version: before.version + 1,
          lastSequenceNumber: snapshot?.sequenceNumber ?? before.lastSequenceNumber,
          lastUpdatedMs: snapshot?.timestampMs ?? before.lastUpdatedMs,
          currentSnapshot: current,
        },
        newSnapshots: snapshot === undefined ? [] : [snapshot],
        newLogEntries: snapshot === undefined ? [] : [snapshot],
        addedPaths: [],
      },
    ],
    transactions: [],
  })
  expect(outcome).toEqual({ outcome: 'committed' })
}

/** The snapshot that the change makes, or `undefined` when it changes nothing. */
export async function commitChange(
  deps: LakeServices,
  change: FileChange,
): Promise<Snapshot | undefined> {
  const state = await getTable(deps.catalog, 't')
  const prepared = await writeSnapshot(deps, state, { change, summary: {} })
  if (prepared === undefined) return undefined
  await commitState(deps, state, { snapshot: prepared.snapshot })
  return prepared.snapshot
}

/** What the change leaves of these files. */
export function changedFiles(before: LiveFiles, change: FileChange, sequence: bigint): LiveFiles {
  const after = new Map(change.truncate ? [] : before)
  for (const path of change.removedPaths) after.delete(path)
  for (const file of change.added) after.set(file.path, { file, sequence })
  return after
}
