import { createHash } from 'node:crypto'
import type { DatasetFacts, DatasetRecord } from '../../catalog/dataset-store.ts'
import type { TableDefinition } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import { readColumnsDigest } from '../../lake/file/columns-digest.ts'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'
import { ProblemError } from '../../problem/problems.ts'
import { DIALECT_VERSION } from '../dumps/format/dialect-version.ts'
import { readingOf } from '../rows/query-source.ts'

/**
 * The version of what decides the rows of datasets: a new one makes new datasets. Raised as that of
 * dumps is, where rows are read otherwise and no dump is.
 */
const WRITER = [2, DIALECT_VERSION]
const NAME_DIGITS = 24
const AUTOMATIC = /^ds-[0-9a-f]{24}$/i

type Source = Parameters<typeof readingOf>[0]

/**
 * SHA-256 in hexadecimal. The same rows were asked for if, and only if, it is the same. The query
 * is canonical, as it is kept; `undefined`: the whole snapshot.
 */
export function identityOf(source: Source, query: unknown): string {
  return digestOf([readingOf(source), query ?? null, WRITER])
}

/** The same of a text over several snapshots. */
export function identityOfSql(canonical: string, sources: readonly Source[]): string {
  return digestOf(['sql', canonical, sources.map(readingOf), WRITER])
}

/** A source, the columns of it that are read, and the files if these are known. */
export interface AskedReading {
  readonly source: Source
  readonly readAs: Schema
  readonly files?: readonly Pick<PlannedFile, 'deleteFiles'>[]
}

/** How sources are read, for whoever reads them later: in all, and just what is read of them. */
export function readingDigestsOf(
  reads: readonly AskedReading[],
): Required<Pick<DatasetFacts, 'readingDigest' | 'columnsDigest'>> {
  return {
    readingDigest: digestOf(reads.map(({ source }) => readingOf(source))),
    columnsDigest: digestOf(
      reads.map(({ source, readAs }) => {
        const [tableUuid, snapshotId, manifestList, schemaId] = readingOf(source)
        const columns = readColumnsDigest(source.state.definition, readAs)
        return [tableUuid, snapshotId, manifestList, schemaId, columns]
      }),
    ),
  }
}

/**
 * Throws `dataset-source-changed` where the rows may be others than when they were asked for. An
 * equality delete is of any column. Datasets of older releases do not say how they are read.
 */
export function requireSameReading(
  { facts }: Pick<DatasetRecord, 'facts'>,
  reads: readonly AskedReading[],
): void {
  if (facts.readingDigest === undefined) return
  const now = readingDigestsOf(reads)
  if (facts.readingDigest === now.readingDigest) return
  const isOfAllColumns = reads.some(({ files = [] }) => files.some(hasEqualityDeletes))
  if (facts.columnsDigest === now.columnsDigest && !isOfAllColumns) return
  throw sourceChanged('a table is read to other rows since the dataset was asked for')
}

function hasEqualityDeletes({ deleteFiles }: Pick<PlannedFile, 'deleteFiles'>): boolean {
  return deleteFiles.some(({ content }) => content === 'equality-deletes')
}

/** The schema that a dataset is read by. Throws `dataset-source-changed` if it was removed. */
export function schemaAsAsked({ schemas }: TableDefinition, schemaId: number): Schema {
  const schema = schemas.find((each) => each.schemaId === schemaId)
  if (schema !== undefined) return schema
  throw sourceChanged(
    `the columns by which the dataset is read, schema ${schemaId} of its table, were removed`,
  )
}

function sourceChanged(why: string): ProblemError {
  return new ProblemError('dataset-source-changed', `${why}: ask for it again`)
}

function digestOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** What a dataset is called that nobody gave a name; from 1 on, what others like it are called. */
export function automaticName(identity: string, nth = 0): string {
  const digits = nth === 0 ? identity : digestOf([identity, nth])
  return `ds-${digits.slice(0, NAME_DIGITS)}`
}

/** Whether it is such a name, which nobody may give. */
export function isAutomaticName(name: string): boolean {
  return AUTOMATIC.test(name)
}
