import { CatalogError } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import { fileStatistics } from '../../core/file/file-statistics.ts'
import { locationKey } from '../../core/file/location-key.ts'
import {
  isSamePartition,
  type PartitionTuple,
  partitionOf,
  type SpannedField,
} from '../../core/partition/partition-values.ts'
import { nameMappingOf } from '../../core/schema/name-mapping.ts'
import { currentSchema, defaultSpec, type TableDefinition } from '../../core/table/table.ts'
import type { StagedFile } from '../../core/table/transaction.ts'
import { readAliases } from '../../core/table-properties.ts'
import { matchFileSchema } from '../../formats/parquet/schema/schema-match.ts'
import { fileMetrics, valueRanges } from '../../formats/parquet/statistics/file-metrics.ts'
import { requireSupported } from '../../formats/parquet/statistics/supported-file.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { columnNames } from './column-names.ts'
import { withoutRequired } from './converted-file.ts'
import { type FooterOfFile, namingFile, readFooterOf } from './read-footer.ts'

const SHOWN_MAX = 200

/** Who has looked for nulls where there must be none: nobody, or the engine that wrote the file. */
export type NullsChecked = 'by-nobody' | 'by-the-engine'

/** Reads the footer only: is this a file of the table, and what does it hold? */
export async function inspectFile(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
  nullsChecked: NullsChecked = 'by-nobody',
): Promise<StagedFile> {
  return describeFile(definition, location, {
    ...(await readOwnFooter(objects, location)),
    nullsChecked,
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
  return describeWhole(definition, location, { ...file, nullsChecked })
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
  return { ...file, dataFile: { ...file.dataFile, partition } }
}

/** As `inspectFile`, for a file that is committed later: it may be replaced until then. */
export async function inspectForLater(
  objects: ObjectStore,
  definition: TableDefinition,
  location: string,
): Promise<StagedFile> {
  const file = await readOwnFooter(objects, location)
  const staged = describeFile(definition, location, { ...file, nullsChecked: 'by-nobody' })
  const { modifiedAtMs, footerSha256 } = file.identity()
  return { ...staged, asStaged: { modifiedAtMs, footerSha256 } }
}

async function readOwnFooter(objects: ObjectStore, location: string): Promise<FooterOfFile> {
  const file = await readFooterOf(objects, location)
  requireOwnName(location, file.ownLocation)
  return file
}

/** A file that two tables know by two names would be deleted with one of them. */
function requireOwnName(location: string, own: string): void {
  if (locationKey(location) === locationKey(own)) return
  throw new CatalogError(
    'location-not-allowed',
    `Location not allowed: ${location.slice(0, SHOWN_MAX)} leads through a link: ` +
      `give the file's own name, ${own.slice(0, SHOWN_MAX)}`,
    { facts: { location: location.slice(0, SHOWN_MAX), ownLocation: own.slice(0, SHOWN_MAX) } },
  )
}

/** Failures name the file. */
function describeFile(
  definition: TableDefinition,
  location: string,
  read: FooterOfFile & { readonly nullsChecked: NullsChecked },
): StagedFile {
  const { file, spans } = describeWhole(definition, location, read)
  if (spans.length > 0) throw namingFile(spansPartitions(spans), location)
  return file
}

function describeWhole(
  definition: TableDefinition,
  location: string,
  file: FooterOfFile & { readonly nullsChecked: NullsChecked },
): SpanningFile {
  try {
    return stagedFile(definition, location, file)
  } catch (error) {
    throw namingFile(error, location)
  }
}

function stagedFile(
  definition: TableDefinition,
  path: string,
  { footer, fileSizeBytes, nullsChecked }: FooterOfFile & { readonly nullsChecked: NullsChecked },
): SpanningFile {
  requireSupported(footer)
  const schema = currentSchema(definition)
  const spec = defaultSpec(definition)
  const nameMapping = nameMappingOf(schema, readAliases(definition.properties))
  const matched = nullsChecked === 'by-nobody' ? schema : withoutRequired(schema)
  const { mapping: readBy } = columnNames(definition, schema)
  const match = matchFileSchema({ footer, schema: matched, nameMapping, readBy })
  const unpartitioned: DataFile = {
    content: 'data',
    path,
    format: 'parquet',
    specId: spec.specId,
    partition: [],
    ...fileMetrics(footer, match, schema),
    fileSizeBytes,
  }
  const fieldIds = new Set(spec.fields.map(({ sourceId }) => sourceId))
  const { least, greatest } = valueRanges(footer, match, { schema, fieldIds })
  const statistics = {
    ...fileStatistics(unpartitioned),
    lowerBound: (fieldId: number) => least.get(fieldId),
    upperBound: (fieldId: number) => greatest.get(fieldId),
  }
  const result = partitionOf({ spec, schema, statistics })
  const isSingle = result.outcome === 'single'
  const file = {
    dataFile: { ...unpartitioned, partition: isSingle ? result.values : [] },
    schemaId: schema.schemaId,
    hasFieldIds: match.hasFieldIds,
    unmappedNames: match.missingNames,
    ...(match.notes.length > 0 && { notes: match.notes }),
  }
  return { file, spans: isSingle ? [] : result.fields }
}

/** `why` says why the service does not split it itself. */
export function spansPartitions(
  fields: readonly SpannedField[],
  why = 'files given by path are not split here, only uploads',
): CatalogError {
  const told = fields.map(({ name, reason }) => `${name}: ${reason}`).join(', ')
  return new CatalogError(
    'file-spans-partitions',
    `its rows are not known to be of one partition (${told}), and ${why}: ` +
      'split it by partition first',
    { facts: { partitionFields: fields } },
  )
}
