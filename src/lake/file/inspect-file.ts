import { CatalogError } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import { fileStatistics } from '../../core/file/file-statistics.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { withRowIdFields } from '../../core/file/row-id-fields.ts'
import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import {
  isSamePartition,
  type PartitionTuple,
  partitionOf,
  type SpannedField,
} from '../../core/partition/partition-values.ts'
import { type ConstantColumns, NO_CONSTANTS } from '../../core/schema/column-projection.ts'
import { nameMappingOf } from '../../core/schema/name-mapping.ts'
import { currentSchema, defaultSpec, type TableDefinition } from '../../core/table/table.ts'
import type { StagedFile } from '../../core/table/transaction.ts'
import { readAliases } from '../../core/table-properties.ts'
import type { Schema } from '../../core/value/type.ts'
import { rowIdNamesInFile } from '../../formats/parquet/schema/names-in-file.ts'
import { matchFileSchema } from '../../formats/parquet/schema/schema-match.ts'
import {
  fileMetricsSteps,
  valueRangesSteps,
} from '../../formats/parquet/statistics/file-metrics.ts'
import { requireSupportedSteps } from '../../formats/parquet/statistics/supported-file.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { columnNames } from './column-names.ts'
import { withoutRequired } from './converted-file.ts'
import { readAsOf } from './definition-keys.ts'
import { leadsThroughLink } from './own-names.ts'
import { columnsOfPath } from './path-columns.ts'
import { type FooterOfFile, namingFile, overChunks, readFooterOf } from './read-footer.ts'

const PARTITION_LENGTH_MAX = 16 * 1024
const NAME_LENGTH_SHOWN = 100
const NOTHING_OF_PATH = { constants: NO_CONSTANTS, notes: [] }

/** Who has looked for nulls where there must be none: nobody, or the engine that wrote the file. */
export type NullsChecked = 'by-nobody' | 'by-the-engine'

type FileToDescribe = FooterOfFile & {
  readonly nullsChecked: NullsChecked
  /** Whether it was written here, so that it may have columns of row ids. */
  readonly isOwn?: boolean
  /** Whether its folders say values of columns that it lacks: not those that it has here. */
  readonly isPathRead?: boolean
}

/** Reads the footer only: is this a file of the table, and what does it hold? */
export async function inspectFile(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
): Promise<StagedFile> {
  return describeFile(definition, location, {
    ...(await readOwnFooter(objects, location)),
    nullsChecked: 'by-nobody',
    isPathRead: true,
  })
}

/** A file without a partition, and in which fields its rows are not proved to be of one. */
export interface SpanningFile {
  readonly file: StagedFile
  readonly spans: readonly SpannedField[]
}

/** As `inspectFile`, for a file that can be split: without `spans` there is one partition. */
export async function inspectSplittable(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
  nullsChecked: NullsChecked,
): Promise<SpanningFile> {
  const file = await readOwnFooter(objects, location)
  const isOwn = nullsChecked === 'by-the-engine'
  return describeWhole(definition, location, { ...file, nullsChecked, isOwn })
}

/**
 * How the columns of a file are to be converted to those of the table, where `inspectSplittable`
 * finds that it does not fit. Throws `file-schema-mismatch` if that does not suffice.
 */
export async function conversionsOf(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
): Promise<readonly string[]> {
  const { footer } = await readOwnFooter(objects, location)
  const schema = currentSchema(definition)
  const nameMapping = nameMappingOf(schema, readAliases(definition.properties))
  return matchFileSchema({ footer, schema, nameMapping, canConvert: true }).conversions
}

/** A file of the engine's own, whose rows were put together by partition. */
export async function inspectPart(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
  partition: PartitionTuple,
): Promise<StagedFile> {
  const { file, spans } = await inspectSplittable(objects, definition, location, 'by-the-engine')
  const spec = defaultSpec(definition)
  // The statistics prove less: a bucket has many values. What they prove must be the same.
  const proved = spans.length === 0 ? file.dataFile.partition : partition
  if (!isSamePartition({ spec, schema: currentSchema(definition) }, proved, partition)) {
    throw new Error(`${location} was written for another partition than its statistics prove`)
  }
  requireShortPartition(spec, partition)
  return { ...file, dataFile: { ...file.dataFile, partition } }
}

/** A partition stands in manifests, their lists, and every answer about its files. */
export function requireShortPartition({ fields }: PartitionSpec, partition: PartitionTuple): void {
  for (const [i, value] of partition.entries()) {
    const isLong = typeof value === 'string' || value instanceof Uint8Array
    if (!isLong || value.length <= PARTITION_LENGTH_MAX) continue
    const name = fields[i]?.name.slice(0, NAME_LENGTH_SHOWN) ?? ''
    throw new CatalogError(
      'file-unsupported',
      `its value of the partition field ${name} has ${value.length} characters or bytes, where ` +
        `at most ${PARTITION_LENGTH_MAX} are taken: partition by truncate or bucket instead`,
      { facts: { partitionField: name, lengthMax: PARTITION_LENGTH_MAX } },
    )
  }
}

/**
 * A staged file under another definition than it was staged under. What the service put together
 * by partition itself is still together where the spec is the same: its statistics may prove less.
 */
export async function inspectAgain(
  objects: ObjectStore,
  definition: TableDefinition,
  { dataFile, isUploaded, readAs }: StagedFile,
): Promise<StagedFile> {
  const { path, partition, specId } = dataFile
  // A version before that fact staged it by the spec's id alone.
  const isSameSpec =
    readAs === undefined
      ? specId === definition.defaultSpecId
      : readAs.spec === readAsOf(definition).spec
  const isKept = isUploaded === true && isSameSpec
  if (!isKept) return inspectFile(objects, definition, path)
  const read = await readOwnFooter(objects, path)
  const again = { ...read, nullsChecked: 'by-nobody', isOwn: true } as const
  const { file } = await describeWhole(definition, path, again)
  return { ...file, dataFile: { ...file.dataFile, partition } }
}

/** As `inspectFile`, for a file that is committed later: it may be replaced until then. */
export async function inspectForLater(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
): Promise<StagedFile> {
  const file = await readOwnFooter(objects, location)
  const staged = await describeFile(definition, location, {
    ...file,
    nullsChecked: 'by-nobody',
    isPathRead: true,
  })
  const { modifiedAtMs, version, footerSha256 } = await file.identity()
  return { ...staged, asStaged: { modifiedAtMs, footerSha256, ...(version && { version }) } }
}

async function readOwnFooter(objects: ObjectStore, location: string): Promise<FooterOfFile> {
  const file = await readFooterOf(objects, location)
  requireOwnName(location, file.ownLocation)
  return file
}

function requireOwnName(location: string, own: string): void {
  if (locationKey(location) !== locationKey(own)) throw leadsThroughLink(location, own)
}

/** Failures name the file. */
async function describeFile(
  definition: TableDefinition,
  location: string,
  read: FileToDescribe,
): Promise<StagedFile> {
  const { file, spans } = await describeWhole(definition, location, read)
  if (spans.length > 0) throw namingFile(spansPartitions(spans), location)
  return file
}

async function describeWhole(
  definition: TableDefinition,
  location: string,
  file: FileToDescribe,
): Promise<SpanningFile> {
  try {
    const whole = await overChunks(file.footer, stagedFileSteps(definition, location, file))
    const { footerSha256 } = await file.identity()
    const dataFile = { ...whole.file.dataFile, footerSha256 }
    return { ...whole, file: { ...whole.file, dataFile } }
  } catch (error) {
    throw namingFile(error, location)
  }
}

function* stagedFileSteps(
  definition: TableDefinition,
  path: string,
  { footer, fileSizeBytes, nullsChecked, isOwn, isPathRead }: FileToDescribe,
): Generator<void, SpanningFile> {
  yield* requireSupportedSteps(footer)
  const schema = currentSchema(definition)
  const spec = defaultSpec(definition)
  const nameMapping = nameMappingOf(schema, readAliases(definition.properties))
  const table = { schema, spec, nameMapping }
  const { constants, notes: pathNotes } =
    isPathRead === true ? columnsOfPath(path, footer, table) : NOTHING_OF_PATH
  const known = withoutRequiredOf(schema, constants)
  const matched = nullsChecked === 'by-nobody' ? known : withoutRequired(schema)
  const { mapping: readBy } = columnNames(definition, schema)
  yield
  const hasRowIds = isOwn === true && rowIdNamesInFile(footer).size > 0
  const wanted = hasRowIds ? withRowIdFields(matched) : matched
  const match = matchFileSchema({ footer, schema: wanted, nameMapping, readBy })
  yield
  const unpartitioned: DataFile = {
    content: 'data',
    path,
    format: 'parquet',
    specId: spec.specId,
    partition: [],
    ...(yield* fileMetricsSteps(footer, match, schema)),
    fileSizeBytes,
  }
  const fieldIds = new Set(spec.fields.map(({ sourceId }) => sourceId))
  const { least, greatest } = yield* valueRangesSteps(footer, match, { schema, fieldIds })
  const statistics = {
    ...fileStatistics(unpartitioned),
    lowerBound: (fieldId: number) => least.get(fieldId),
    upperBound: (fieldId: number) => greatest.get(fieldId),
  }
  const present = new Set(match.fieldIds)
  const isAbsent = (fieldId: number) => !present.has(fieldId)
  const result = partitionOf({ spec, schema, statistics, constants, isAbsent })
  const notes = [...pathNotes, ...match.notes]
  const isSingle = result.outcome === 'single'
  if (isSingle) requireShortPartition(spec, result.values)
  const file = {
    dataFile: { ...unpartitioned, partition: isSingle ? result.values : [] },
    readAs: readAsOf(definition),
    hasFieldIds: match.hasFieldIds,
    unmappedNames: match.missingNames,
    ...(notes.length > 0 && { notes }),
  }
  return { file, spans: isSingle ? [] : result.fields }
}

/** Their values are known, whatever the file is without. */
function withoutRequiredOf(schema: Schema, constants: ConstantColumns): Schema {
  if (constants.size === 0) return schema
  const fields = schema.fields.map((field) =>
    constants.has(field.id) ? { ...field, required: false } : field,
  )
  return { ...schema, fields }
}

/** `why` says why the service does not split it itself. */
export function spansPartitions(
  fields: readonly SpannedField[],
  why = 'files given by path are not split here, only uploads',
): CatalogError {
  const facts = { partitionFields: fields }
  const absent = fields.find(({ reason }) => reason === 'column-absent')
  if (absent !== undefined) {
    const detail =
      `the file lacks the column of the partition field ${absent.name}: write it into the file, ` +
      'or give the file by path below a folder <column>=<value>, in a table that is partitioned ' +
      'by identity of the column'
    return new CatalogError('file-spans-partitions', detail, { facts })
  }
  const told = fields.map(({ name, reason }) => `${name}: ${reason}`).join(', ')
  return new CatalogError(
    'file-spans-partitions',
    `its rows are not known to be of one partition (${told}), and ${why}: ` +
      'split it by partition first',
    { facts },
  )
}
