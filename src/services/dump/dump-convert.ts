import type { DataFile } from '../../core/data-file.ts'
import { CatalogError } from '../../core/errors.ts'
import { type NameMapping, nameMappingFromJson, nameMappingOf } from '../../core/name-mapping.ts'
import { findField } from '../../core/schema-lookup.ts'
import type { TableDefinition } from '../../core/table.ts'
import { NAME_MAPPING_PROPERTY, readAliases } from '../../core/table-properties.ts'
import type { Field, Schema } from '../../core/type.ts'
import type { EqualityDelete, SourceFile } from '../../engine/engine.ts'
import type { DumpPiece } from '../../formats/dump/dump-index.ts'
import { readDeletionVector } from '../../formats/iceberg/deletion-vector.ts'
import { namesInFile } from '../../formats/parquet/file-columns.ts'
import type { ParquetFooter } from '../../formats/parquet/footer.ts'
import { readFooterOf } from '../file-inspection.ts'
import { METADATA_FILE_BYTES_MAX } from '../limits.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { sha256Of } from './dump-digest.ts'
import type { DumpTarget } from './dump-key.ts'
import type { DumpSource } from './dump-sources.ts'

/**
 * Converts the live rows of one data file into its shard. A shard that is there already has the same bytes: it is
 * made again only because nobody knows its digest and rows.
 */
export async function convertSource(
  deps: DumpDependencies,
  target: DumpTarget,
  source: DumpSource,
  signal: AbortSignal,
): Promise<DumpPiece> {
  const location = source.shardLocation
  const path = `${deps.temporaryFolder}/${deps.ambient.newUuid()}`
  try {
    const sourceFile = await describeSource(deps, target, source)
    const { rows, bytes } = await deps.engine.export(
      {
        source: sourceFile,
        schema: target.schema,
        target: { path, format: target.format, compression: target.compression },
      },
      { signal },
    )
    requireRows(source, rows)
    await deps.objects.putFileIfAbsent(location, path)
    const sha256 = await sha256Of(deps.objects.readStream(location, 0, bytes))
    return { location, offset: 0, lengthBytes: bytes, rowCount: rows, sha256 }
  } catch (error) {
    throw namingDataFile(error, source.dataFile)
  } finally {
    await deps.removeLocalFile(path)
  }
}

async function describeSource(
  deps: DumpDependencies,
  { state, schema }: DumpTarget,
  { dataFile, deleteFiles }: DumpSource,
): Promise<SourceFile> {
  const { footer } = await readFooterOf(deps.objects, dataFile.path)
  const nameMapping = tableNameMapping(state.definition, schema)
  const names = namesInFile(footer, schema.fields, nameMapping)
  const positionFiles = deleteFiles.filter((file) => file.content === 'position-deletes')
  const vectors = positionFiles.filter((file) => file.format === 'puffin')
  const positionDeletes = await Promise.all(
    positionFiles
      .filter((file) => file.format === 'parquet')
      .map(async (file) => ({
        path: await localPathOf(deps, file.path),
        dataFile: dataFile.path,
      })),
  )
  const equalityDeletes = await Promise.all(
    deleteFiles
      .filter((file) => file.content === 'equality-deletes')
      .map((file) => describeEquality(deps, state.definition, { file, footer })),
  )
  const deletedPositions = await readVectors(deps, vectors)
  return {
    path: await localPathOf(deps, dataFile.path),
    columns: schema.fields.map(({ id }) => ({ fieldId: id, nameInFile: names.get(id) })),
    nameMapping,
    ...(deletedPositions !== undefined && { deletedPositions }),
    ...(positionDeletes.length > 0 && { positionDeletes }),
    ...(equalityDeletes.length > 0 && { equalityDeletes }),
  }
}

/** The mapping that engines use; the table's own names where it has none, for files that carry no field ids. */
export function tableNameMapping(definition: TableDefinition, schema: Schema): NameMapping {
  const text = definition.properties[NAME_MAPPING_PROPERTY]
  if (text !== undefined) return nameMappingFromJson(JSON.parse(text))
  return nameMappingOf(schema, readAliases(definition.properties))
}

async function describeEquality(
  deps: DumpDependencies,
  definition: TableDefinition,
  { file, footer }: { file: DataFile; footer: ParquetFooter },
): Promise<EqualityDelete> {
  const { footer: deleteFooter } = await readFooterOf(deps.objects, file.path)
  const fields = (file.equalityIds ?? []).map((id) => fieldOfAnySchema(definition, id))
  const mapping = tableNameMapping(definition, { ...definition.schemas[0], fields } as Schema)
  const inFile = namesInFile(footer, fields, mapping)
  const inDeletes = namesInFile(deleteFooter, fields, mapping)
  return {
    path: await localPathOf(deps, file.path),
    columns: fields.map(({ id, name }) => ({
      fieldId: id,
      nameInFile: inFile.get(id),
      nameInDeletes: inDeletes.get(id) ?? name,
    })),
  }
}

/** An equality delete may speak of a column that was dropped since. */
function fieldOfAnySchema(definition: TableDefinition, fieldId: number): Field {
  for (const schema of definition.schemas.toReversed()) {
    const field = findField(schema, fieldId)
    if (field !== undefined) return field
  }
  throw new CatalogError('metadata-corrupt', `no schema has field ${fieldId} of an equality delete`)
}

async function readVectors(
  deps: DumpDependencies,
  vectors: readonly DataFile[],
): Promise<BigInt64Array | undefined> {
  const [vector, ...others] = vectors
  if (vector === undefined) return undefined
  if (others.length > 0) {
    throw new CatalogError('metadata-corrupt', 'a data file has more than one deletion vector')
  }
  const { contentOffset = 0, contentSizeBytes = METADATA_FILE_BYTES_MAX } = vector
  return readDeletionVector(
    await deps.objects.readRange(vector.path, contentOffset, contentSizeBytes),
  )
}

/** Engines read files of the local disk only. */
async function localPathOf(deps: DumpDependencies, location: string): Promise<string> {
  const path = await deps.objects.findLocalPath(location)
  if (path !== undefined) return path
  throw new CatalogError('not-implemented', `${location} is not on a local disk`)
}

function requireRows({ dataFile, deleteFiles }: DumpSource, rows: number): void {
  if (deleteFiles.length > 0 || rows === dataFile.recordCount) return
  throw new CatalogError(
    'file-corrupt',
    `it has ${rows} rows where the table counts ${dataFile.recordCount}`,
  )
}

/** Whoever asked for the dump shall know which file of the table is in trouble. */
export function namingDataFile(error: unknown, { path }: DataFile): unknown {
  if (!(error instanceof CatalogError)) return error
  const code = error.code === 'file-not-found' ? 'data-file-missing' : error.code
  const detail = error.message.includes(path) ? error.message : `${path}: ${error.message}`
  return new CatalogError(code, detail, { facts: { path, ...error.facts }, cause: error })
}
