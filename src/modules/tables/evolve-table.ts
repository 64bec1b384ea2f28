import { CatalogError } from '../../core/errors.ts'
import type { Keep } from '../../core/replay.ts'
import type { ColumnDefinition } from '../../core/schema/column-definition.ts'
import { keepColumnKin } from '../../core/schema/column-kin.ts'
import { keepLostNames } from '../../core/schema/lost-names.ts'
import {
  evolveSchema,
  reconcileSchema,
  type SchemaChange,
  sameSchema,
} from '../../core/schema/schema-evolution.ts'
import { shown } from '../../core/table/shown-name.ts'
import { currentSchema, type TableDefinition, type TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import {
  type AliasesById,
  changeAliases,
  NAME_MAPPING_PROPERTY,
  readAliases,
} from '../../core/table-properties.ts'
import type { Schema } from '../../core/value/type.ts'
import { changeTable } from '../../lake/commit/change-table.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { findRevivedName, withNameMapping } from '../../lake/commit/name-mapping-update.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { type EvolvedTable, type RewriteDependencies, SchemaRewrite } from './rewrite-schema.ts'

/** Bound for a table that gets many files concurrently. */
const PASSES_AHEAD_MAX = 5

/** Exactly one: all columns of the new schema, or a list of changes. */
export interface EvolveRequest {
  readonly columns?: readonly ColumnDefinition[] | undefined
  readonly changes?: readonly SchemaChange[] | undefined
}

/**
 * Changes the schema, and rewrites the data files if the new types require it, in one commit. Does
 * nothing if nothing differs. Files added by commits in between are rewritten, too; throws
 * `overloaded` if other processes keep committing first.
 */
export async function evolveTable(
  deps: RewriteDependencies & CommitDependencies,
  table: string,
  request: EvolveRequest & { readonly keep?: Keep<TableState> },
): Promise<TableState> {
  const rewrite = new SchemaRewrite(deps)
  try {
    await convertAhead(deps, rewrite, { table, request })
    const change = async (before: TableState) => {
      const evolved = evolve(before.definition, request)
      if (evolved === undefined) return {}
      const { definition, rewrites } = evolved
      if (rewrites.size > 0) requireNoBranch(before)
      const prepared = rewrites.size === 0 ? undefined : await rewrite.prepare(before, evolved)
      return { definition, ...(prepared !== undefined && { prepared }) }
    }
    const state = await changeTable(deps, table, change, request.keep)
    await rewrite.end('committed')
    return state
  } catch (error) {
    await rewrite.end(error)
    throw error
  }
}

/**
 * Converts files before the change takes its turn in the queue, since other commits wait during
 * that turn. Only files that arrive during the last pass are left for it.
 */
async function convertAhead(
  deps: RewriteDependencies & CommitDependencies,
  rewrite: SchemaRewrite,
  { table, request }: { readonly table: string; readonly request: EvolveRequest },
): Promise<void> {
  for (let pass = 1; pass <= PASSES_AHEAD_MAX; pass++) {
    const state = await getTable(deps.catalog, table)
    const evolved = evolve(state.definition, request)
    if (evolved === undefined || evolved.rewrites.size === 0) return
    requireNoBranch(state)
    const result = await rewrite.convert(state, evolved)
    if (result === undefined || result.converted <= deps.converter.atOnce) return
  }
}

/** The files of its snapshots would have nothing under the ids of converted columns. */
function requireNoBranch({ namespace, name, refs }: TableState): void {
  const branch = Object.entries(refs).find(([, { type }]) => type === 'branch')?.[0]
  if (branch === undefined) return
  const table = formatTableName(namespace, name)
  const rule =
    `the new type needs files to be written again, and only those of the main branch would be: ` +
    `make a tag of the branch ${shown(branch)} of ${table}, or drop it, and try again`
  throw new CatalogError('schema-change-invalid', rule, { facts: { rule, branch: shown(branch) } })
}

function evolve(definition: TableDefinition, request: EvolveRequest): EvolvedTable | undefined {
  const schema = currentSchema(definition)
  const aliasesById = readAliases(definition.properties)
  const evolved = evolveSchema({
    schema,
    aliasesById,
    changes: changesOf(request, schema, aliasesById),
    lastColumnId: definition.lastColumnId,
    sourceIds: [...definition.partitionSpecs, ...definition.sortOrders].flatMap(({ fields }) =>
      fields.map((field) => field.sourceId),
    ),
    rewriting: definition.properties[NAME_MAPPING_PROPERTY] === undefined ? 'new' : 'kept',
  })
  refuseRevivedNames(definition, evolved)
  const named = changeAliases(definition.properties, aliasesById)
  const renamed = changeAliases(definition.properties, evolved.aliasesById)
  const isSame = sameSchema(schema, evolved.schema)
  if (isSame && JSON.stringify(named) === JSON.stringify(renamed)) return undefined
  const { schemas, currentSchemaId } = isSame
    ? definition
    : withSchema(definition.schemas, evolved.schema)
  const properties =
    renamed[NAME_MAPPING_PROPERTY] === undefined ? renamed : withNameMapping(renamed, evolved)
  const lastColumnId = Math.max(definition.lastColumnId, evolved.lastColumnId)
  const after = { ...definition, schemas, currentSchemaId, lastColumnId, properties }
  const { rewrites } = evolved
  const kept = keepLostNames(definition, keepColumnKin(definition, after, renumbered(rewrites)))
  return { definition: kept, rewrites }
}

/** Columns whose values are under another id from then on. */
function renumbered(rewrites: EvolvedTable['rewrites']): readonly (readonly number[])[] {
  return [...rewrites].filter(([id, source]) => id !== source)
}

function changesOf(
  { columns, changes }: EvolveRequest,
  schema: Schema,
  aliasesById: AliasesById,
): readonly SchemaChange[] {
  if (columns !== undefined && changes === undefined) {
    return reconcileSchema({ schema, aliasesById, columns })
  }
  if (changes !== undefined && columns === undefined) return changes
  throw new CatalogError(
    'schema-invalid',
    'give either all "columns" of the new schema or a list of "changes"',
  )
}

/** Adds the schema; one that the table had before keeps its id (Iceberg keeps each schema once). */
function withSchema(
  schemas: readonly Schema[],
  schema: Schema,
): Pick<TableDefinition, 'schemas' | 'currentSchemaId'> {
  const known = schemas.find((candidate) => sameSchema(candidate, schema))
  if (known !== undefined) return { schemas, currentSchemaId: known.schemaId }
  const schemaId = Math.max(...schemas.map((candidate) => candidate.schemaId)) + 1
  return { schemas: [...schemas, { ...schema, schemaId }], currentSchemaId: schemaId }
}

/**
 * Refuses a name that another column had: in files without field ids, which are read by name, the
 * new column would show the old one's values.
 */
function refuseRevivedNames(
  { properties }: TableDefinition,
  evolved: { readonly schema: Schema; readonly aliasesById: AliasesById },
): void {
  const name = findRevivedName(properties, evolved)
  if (name === undefined) return
  throw new CatalogError(
    'schema-change-invalid',
    `${name}: another column had this name, and files without field ids would show its values; ` +
      'choose another name',
    { facts: { column: name, rule: 'name-of-another-column' } },
  )
}
