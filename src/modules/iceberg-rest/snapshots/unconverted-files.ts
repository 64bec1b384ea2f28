import type { ManifestFile } from '../../../core/file/data-file.ts'
import { staleUpdate } from '../../../core/metadata/update-problem.ts'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import { convertedSince, schemaIdAfterRollback } from '../../../core/table/schema-of-rollback.ts'
import type { Snapshot } from '../../../core/table/snapshot.ts'
import type { TableDefinition, TableState } from '../../../core/table/table.ts'
import { type Schema, typeName } from '../../../core/value/type.ts'
import type { DecodedManifest } from '../../../formats/manifest/manifest-reader.ts'

/**
 * The table as each of the new snapshots is read: main by the current schema, others by theirs. If
 * the commit adds that schema, as it is before: what it converts by itself its writer knows of.
 */
export function readingOfNew(
  base: TableState,
  { definition: after, currentSnapshot }: TableState,
  newSnapshots: readonly Snapshot[],
): (snapshot: Snapshot) => TableDefinition {
  const isKnownBefore = base.definition.schemas.some((s) => s.schemaId === after.currentSchemaId)
  const definition = isKnownBefore ? after : base.definition
  const added = new Map(newSnapshots.map((snapshot) => [snapshot.snapshotId, snapshot]))
  const onMain = new Set<Snapshot>()
  let next = added.get(currentSnapshot?.snapshotId ?? -1n)
  while (next !== undefined && !onMain.has(next)) {
    onMain.add(next)
    next = added.get(next.parentSnapshotId ?? -1n)
  }
  const bySchema = new Map<number, TableDefinition>()
  return (snapshot) => {
    const { schemaId } = snapshot
    const isKnown = definition.schemas.some((schema) => schema.schemaId === schemaId)
    if (onMain.has(snapshot) || !isKnown) return definition
    const known = bySchema.get(schemaId)
    if (known !== undefined) return known
    const currentSchemaId = schemaIdAfterRollback(definition, schemaId)
    const reading = { ...definition, currentSchemaId }
    bySchema.set(schemaId, reading)
    return reading
  }
}

/**
 * Throws `commit-conflict` if a manifest's files were written before a column was converted to
 * another type, as those of an engine whose commit was under way: they would read as nulls. Its
 * header tells, unless it has no schema, or another than the table's of that id.
 */
export function requireUnconverted(
  definition: TableDefinition,
  { path }: ManifestFile,
  { schema, schemaId }: Pick<DecodedManifest, 'schema' | 'schemaId'>,
): void {
  if (schemaId === undefined || schemaId === definition.currentSchemaId) return
  const known = definition.schemas.find((each) => each.schemaId === schemaId)
  if (known === undefined || schema === undefined || !isAlike(schema, known)) return
  const column = rememberedConversion(definition, schemaId)
  if (column === undefined) return
  const detail =
    `Cannot add manifest ${path.slice(0, 1_000)}: its files were written before column ` +
    `${column.slice(0, 200)} was converted to another type (schema ${schemaId}), and would read ` +
    'as nulls: write them again by the current schema'
  throw staleUpdate(detail, { location: path, column: column.slice(0, 200), schemaId })
}

/** A commit may have thousands of manifests, and its table hundreds of thousands of fields. */
const CONVERSIONS = new WeakMap<TableDefinition, Map<number, string | undefined>>()
const TEXTS = new WeakMap<Schema, string>()

function rememberedConversion(definition: TableDefinition, schemaId: number): string | undefined {
  const known = CONVERSIONS.get(definition) ?? new Map<number, string | undefined>()
  CONVERSIONS.set(definition, known)
  if (!known.has(schemaId)) known.set(schemaId, convertedSince(definition, schemaId))
  return known.get(schemaId)
}

/** There are writers that number every schema 0. */
function isAlike(left: Schema, right: Schema): boolean {
  return textOf(left) === textOf(right)
}

function textOf(schema: Schema): string {
  const known = TEXTS.get(schema)
  if (known !== undefined) return known
  const text = allFields(schema)
    .map(({ id, type }) => `${id} ${typeName(type)}`)
    .join('\n')
  TEXTS.set(schema, text)
  return text
}
