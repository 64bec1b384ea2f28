import { CatalogError } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import { withRowIdFields } from '../../core/file/row-id-fields.ts'
import { partitionConstants } from '../../core/partition/partition-constants.ts'
import { NO_CONSTANTS } from '../../core/schema/column-projection.ts'
import { nameMappingOf } from '../../core/schema/name-mapping.ts'
import { findPathToField } from '../../core/schema/schema-lookup.ts'
import { currentSchema, type TableDefinition } from '../../core/table/table.ts'
import { readAliases } from '../../core/table-properties.ts'
import { Turns } from '../../core/turns.ts'
import type { Field, Schema } from '../../core/value/type.ts'
import type { EqualityDelete, InheritedRowIds, SourceFile } from '../../engine/engine.ts'
import { readDeletedRows } from '../../formats/deletes/deletion-vector.ts'
import { withLocalMomentsSteps } from '../../formats/parquet/footer/early-moments.ts'
import type { ParquetFooter } from '../../formats/parquet/footer/footer.ts'
import {
  namesInFile,
  namesWithRowIds,
  rowIdNamesInFile,
} from '../../formats/parquet/schema/names-in-file.ts'
import { schemaShape } from '../../formats/parquet/schema/schema-shape.ts'
import { requireSupportedPagesSteps } from '../../formats/parquet/statistics/supported-file.ts'
import { hasUnsureBoundsSteps } from '../../formats/parquet/statistics/trusted-bounds.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { columnNames } from '../file/column-names.ts'
import { type FooterOfFile, overChunks, readFooterOf } from '../file/read-footer.ts'
import type { PlannedFile } from '../scan/plan-files.ts'
import { namingDeleteFile, requireCounted } from './data-file-faults.ts'
import type { LocalPaths, NewEnd } from './local-file-cache.ts'

/** Size of a deletion vector: a bit for each of a billion rows, and its headers. */
const VECTOR_BYTES_MAX = 128 * 1024 * 1024

export interface DescribedSource {
  readonly file: SourceFile
  readonly identity: FooterOfFile['identity']
}

interface DescribedTable {
  readonly definition: TableDefinition
  /** With the fields of row ids where these are asked for. */
  readonly schema: Schema
  readonly rowIds?: InheritedRowIds | undefined
}

/**
 * A data file with what applies to it, as the engine takes it, as long as the paths are good.
 * `readFooter` refuses a file that is another than the one that was committed (`KnownFooters`).
 */
export async function describeSource(
  { objects, pathOf }: FileAccess,
  { definition, schema, rowIds }: DescribedTable,
  { dataFile, deleteFiles }: Pick<PlannedFile, 'dataFile' | 'deleteFiles'>,
  readFooter: () => Promise<FooterOfFile>,
): Promise<DescribedSource> {
  requireParquet(dataFile)
  const seen = await readFooter()
  const { footer, identity } = seen
  await overChunks(footer, requireSupportedPagesSteps(footer))
  requireCounted(dataFile, footer.rowCount)
  const known = {
    names: columnNames(definition, schema),
    constants: partitionConstants(definition.partitionSpecs, dataFile),
  }
  const namesById = namesWithRowIds(footer, schema.fields, known)
  const { vector, positions, equalities } = sortDeletes(deleteFiles)
  const ofDelete = <T>(file: DataFile, read: () => Promise<T>) =>
    read().catch((error) => {
      throw namingDeleteFile(error, file)
    })
  const positionDeletes = await Promise.all(
    positions.map(async (file) => ({
      path: await ofDelete(file, () => pathOf(file.path)),
      dataFile: dataFile.path,
    })),
  )
  const equalityDeletes = await Promise.all(
    equalities.map((file) =>
      ofDelete(file, () =>
        describeEquality({ objects, pathOf }, definition, { file, dataFile, footer }),
      ),
    ),
  )
  const end = await newEndOf(footer)
  // With another end it has another schema, too.
  const shape = end === undefined ? schemaShape(footer) : undefined
  const file = {
    path: await pathOf(dataFile.path, { seen, end }),
    columns: schema.fields.map(({ id }) => ({ fieldId: id, nameInFile: namesById.get(id) })),
    ...(shape !== undefined && { shape }),
    ...known,
    ...(rowIds !== undefined && { rowIds }),
    ...((await overChunks(footer, hasUnsureBoundsSteps(footer, new Set(namesById.values())))) && {
      hasUnsureBounds: true,
    }),
    ...(vector !== undefined && {
      // The manifest's word alone would let a few bytes stand for any number of rows.
      deletedRows: await ofDelete(vector, () => readVector(objects, vector, footer.rowCount)),
    }),
    ...(positionDeletes.length > 0 && { positionDeletes }),
    ...(equalityDeletes.length > 0 && { equalityDeletes }),
  }
  return { file, identity }
}

export interface NewSource {
  readonly file: SourceFile
  /** The table's, and the fields of row ids that the file has. */
  readonly schema: Schema
}

/**
 * A file that the table does not have yet: no partition says anything about it, and columns are
 * found as they are when it is added, when the table adopts their spellings.
 */
export async function describeNewFile(
  { objects, pathOf }: FileAccess,
  definition: TableDefinition,
  location: string,
): Promise<NewSource> {
  const schema = currentSchema(definition)
  const { fields } = schema
  const seen = await readFooterOf(objects, location)
  const { footer } = seen
  const mapping = nameMappingOf(schema, readAliases(definition.properties))
  const names = { mapping, isGuessed: true }
  const namesById = namesWithRowIds(footer, fields, { names, constants: NO_CONSTANTS })
  const hasRowIds = rowIdNamesInFile(footer).size > 0
  const ofFile = hasRowIds ? withRowIdFields(schema) : schema
  const file = {
    path: await pathOf(location, { seen, end: await newEndOf(footer) }),
    columns: ofFile.fields.map(({ id }) => ({ fieldId: id, nameInFile: namesById.get(id) })),
    names,
  }
  return { file, schema: ofFile }
}

/** For the few files that engines would not read exactly as they are. */
async function newEndOf(footer: ParquetFooter): Promise<NewEnd | undefined> {
  const bytes = await overChunks(footer, withLocalMomentsSteps(footer))
  return bytes === undefined ? undefined : { offset: footer.footerOffset, footer: bytes }
}

/** Footers come from the store; engines read files of the local disk only. */
export type FileAccess = LocalPaths & { readonly objects: ObjectStore }

interface SortedDeletes {
  readonly vector: DataFile | undefined
  readonly positions: readonly DataFile[]
  readonly equalities: readonly DataFile[]
}

function sortDeletes(deleteFiles: readonly DataFile[]): SortedDeletes {
  const isVector = ({ content, format }: DataFile) =>
    content === 'position-deletes' && format === 'puffin'
  const [vector, other] = deleteFiles.filter(isVector)
  if (other !== undefined) {
    throw new CatalogError(
      'file-corrupt',
      `it has more than one deletion vector: ${vector?.path} and ${other.path}`,
      { facts: { file: other.path } },
    )
  }
  const files = deleteFiles.filter((file) => !isVector(file))
  for (const file of files) requireParquet(file)
  // A vector holds what position deletes of its file held before (Iceberg spec, "Scan Planning").
  const isPosition = ({ content }: DataFile) => content === 'position-deletes'
  const positions = vector === undefined ? files.filter(isPosition) : []
  return { vector, positions, equalities: files.filter((file) => !isPosition(file)) }
}

function requireParquet({ path, format }: DataFile): void {
  if (format === 'parquet') return
  throw new CatalogError('not-implemented', `${path} is of format ${format}: only Parquet is read`)
}

async function describeEquality(
  { objects, pathOf }: FileAccess,
  definition: TableDefinition,
  { file, dataFile, footer }: { file: DataFile; dataFile: DataFile; footer: ParquetFooter },
): Promise<EqualityDelete> {
  const { equalityIds = [], path } = file
  if (equalityIds.length === 0) {
    throw new CatalogError('file-corrupt', `${path} deletes by no column`)
  }
  const seen = await readFooterOf(objects, path)
  const { footer: deleteFooter } = seen
  await overChunks(deleteFooter, requireSupportedPagesSteps(deleteFooter))
  const fields = equalityIds.map((id) => columnOfAnySchema(definition, id))
  const names = columnNames(definition, { schemaId: 0, fields, identifierFieldIds: [] })
  const constantsOf = (each: DataFile) => partitionConstants(definition.partitionSpecs, each)
  const constants = constantsOf(file)
  const inFile = namesInFile(footer, fields, { names, constants: constantsOf(dataFile) })
  const inDeletes = namesInFile(deleteFooter, fields, { names, constants })
  const columns = fields.map((field) => ({
    field,
    nameInFile: inFile.get(field.id),
    nameInDeletes: inDeletes.get(field.id),
  }))
  const lacking = columns.find(
    ({ field, nameInDeletes }) => nameInDeletes === undefined && !constants.has(field.id),
  )
  if (lacking !== undefined) {
    throw new CatalogError('file-corrupt', `${path} lacks the column ${lacking.field.name}`)
  }
  const local = await pathOf(path, { seen, end: await newEndOf(deleteFooter) })
  return { path: local, columns, names, constants }
}

/**
 * A top-level column with nothing below it but what leads to the field. An equality delete may
 * speak of a column that was dropped since.
 */
function columnOfAnySchema({ schemas }: TableDefinition, fieldId: number): Field {
  for (const schema of schemas.toReversed()) {
    const path = findPathToField(schema.fields, fieldId)
    if (path !== undefined) return narrowed(path)
  }
  throw new CatalogError('file-corrupt', `no schema has field ${fieldId} of an equality delete`)
}

/** Lists and maps have no one value to compare (Iceberg spec, "Equality Delete Files"). */
function narrowed(path: readonly Field[]): Field {
  return path.reduceRight((member, field) => {
    if (field.type.kind === 'struct') return { ...field, type: { ...field.type, fields: [member] } }
    const detail = `an equality delete speaks of a column inside ${field.name}, which is no struct`
    throw new CatalogError('file-corrupt', detail)
  })
}

async function readVector(
  objects: ObjectStore,
  { path, contentOffset, contentSizeBytes }: DataFile,
  rowCount: number,
): Promise<Uint8Array> {
  const isPlaced = contentOffset !== undefined && contentSizeBytes !== undefined
  if (!isPlaced || contentSizeBytes > VECTOR_BYTES_MAX) {
    throw new CatalogError('file-corrupt', `${path} is not said where it has the vector`)
  }
  const blob = await objects.readRange(path, contentOffset, contentSizeBytes)
  const turns = new Turns()
  return readDeletedRows(blob, rowCount, () => turns.take())
}
