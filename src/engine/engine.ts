import type { PartitionSpec } from '../core/partition/partition-spec.ts'
import type { PartitionTuple } from '../core/partition/partition-values.ts'
import type { BoundQuery } from '../core/query/bound-query.ts'
import type { RowFilter } from '../core/query/row-filter.ts'
import type { ConstantColumns } from '../core/schema/column-projection.ts'
import type { ColumnNames } from '../core/schema/name-mapping.ts'
import type { ColumnAction } from '../core/table/table-policy.ts'
import type { Field, Schema } from '../core/value/type.ts'

export type TextFormat = 'csv' | 'ndjson' | 'tsv'
/** Text of one row a line; `json` and `xml` are the rows of a file, without what is around them. */
export type LineFormat = TextFormat | 'json' | 'xml'
export type ExportFormat = LineFormat | 'parquet' | 'arrow'
export type Compression = 'none' | 'gzip' | 'zstd'

/** A Parquet file on the local disk, read with a table's schema. */
export interface SourceFile {
  /** Absolute path. */
  readonly path: string
  /** The columns of the output in order, one for each field of the schema. */
  readonly columns: readonly SourceColumn[]
  /** Equal for files with the very same schema, which is then read from one of them. */
  readonly shape?: string
  /** How nested fields of files without field ids are found; by default by their own names. */
  readonly names?: ColumnNames
  /** Values of columns that the file lacks; others have their initial default. */
  readonly constants?: ConstantColumns
  /** Ids in the file of nested fields that have others in the schema. */
  readonly idsInFile?: ReadonlyMap<number, number>
  /**
   * Makes values of the columns of row ids (`row-id-fields.ts`), which rows have where the file
   * says nothing of them.
   */
  readonly rowIds?: InheritedRowIds
  /** Whether the columns have statistics by which rows would be left out that are there. */
  readonly hasUnsureBounds?: boolean
  /**
   * Deleted rows (a deletion vector), one bit each: the first row is the highest bit of the first
   * byte. Rows beyond the last byte are not deleted.
   */
  readonly deletedRows?: Uint8Array
  readonly positionDeletes?: readonly PositionDelete[]
  readonly equalityDeletes?: readonly EqualityDelete[]
}

/** Iceberg spec, "Row lineage assignment". */
export interface InheritedRowIds {
  /** That of the row at position 0, deleted or not; `undefined`: none has an id yet. */
  readonly firstRowId: bigint | undefined
  readonly sequenceNumber: bigint
}

/** One top-level column of the output. */
export interface SourceColumn {
  readonly fieldId: number
  /**
   * Top-level name of the column in this file; `undefined` if the file lacks it, so that every row
   * has its constant or default.
   */
  readonly nameInFile: string | undefined
}

export interface PositionDelete {
  /** Absolute path of a Parquet file with the columns `file_path` and `pos`. */
  readonly path: string
  /** Its rows with exactly this `file_path` are positions in the source. */
  readonly dataFile: string
}

export interface EqualityDelete {
  /**
   * Absolute path of a Parquet file. A row is deleted if it equals one of its rows in these columns
   * (NULL equals NULL).
   */
  readonly path: string
  readonly columns: readonly EqualityColumn[]
  /** How members of structs are found without field ids; by default by their own names. */
  readonly names?: ColumnNames
  /** Values of columns that this file lacks. */
  readonly constants?: ConstantColumns
}

export interface EqualityColumn {
  /**
   * A top-level column that the schema may no longer have. A struct has a single member, which may
   * be a struct again, down to the member that is compared.
   */
  readonly field: Field
  /** `undefined` if the file lacks it, so that its rows have the constant or default. */
  readonly nameInFile: string | undefined
  /** `undefined` if the file of deletes lacks it: its rows have the constant. */
  readonly nameInDeletes: string | undefined
}

export interface ExportJob {
  readonly source: SourceFile
  /** Names and types of the output, including nested types. */
  readonly schema: Schema
  readonly restriction?: SourceRestriction | undefined
  readonly target: {
    /** Absolute path; must not exist. */
    readonly path: string
    readonly format: ExportFormat
    /** Compression of text; Parquet and Arrow compress internally and take `none`. */
    readonly compression: Compression
    /** Whether CSV starts with a line of column names; other formats have none. */
    readonly header?: boolean
  }
}

/** What is left out of sources, and what is shown otherwise than it is. */
export interface SourceRestriction {
  /** Columns of the sources: those that are shown, and those that the filter looks at. */
  readonly readAs: Schema
  /** Rows for which it is not TRUE are left out; it sees values as they are. */
  readonly filter: RowFilter | undefined
  /** Whether exactly those rows are shown that would be left out. */
  readonly isInverted?: boolean | undefined
  /** By field id of columns that are shown. */
  readonly actions: ReadonlyMap<number, ColumnAction>
}

/** Without a source, the output has columns but no rows, in formats that allow it. */
export type ExportRequest = Omit<ExportJob, 'source'> & { readonly source: SourceFile | undefined }

/** Converts rows of a text file by a schema into Parquet with field ids. */
export interface IngestJob {
  /** Absolute path of the uploaded text. */
  readonly path: string
  readonly format: TextFormat
  /** How values of a CSV are written: as uploads write them, or as COPY of PostgreSQL does. */
  readonly dialect?: 'postgres' | undefined
  readonly schema: Schema
  /** Absolute path of the Parquet file; must not exist. */
  readonly targetPath: string
}

/** Separates the rows of a Parquet file by partition, into Parquet with field ids. */
export interface SplitJob {
  /** Without deletes. */
  readonly source: SourceFile
  readonly schema: Schema
  readonly spec: PartitionSpec
  /** More partitions are `file-spans-partitions`, with their number. */
  readonly partitionsMax: number
  /** What the absolute paths of the files begin with; see `splitTarget`. They must not exist. */
  readonly targetPrefix: string
}

/** Path of the file of a part, by its index in the result. */
export function splitTarget(targetPrefix: string, index: number): string {
  return `${targetPrefix}-${index}`
}

export interface JobResult {
  readonly rows: number
  readonly bytes: number
}

/** `row-invalid` has the line of the first invalid row. */
export type IngestResult =
  | ({ readonly outcome: 'written' } & JobResult)
  | { readonly outcome: 'row-invalid'; readonly line: number; readonly detail: string }

export type SplitResult =
  /** All rows are of one partition: nothing was written. */
  | { readonly outcome: 'single'; readonly partition: PartitionTuple }
  /** A file for each partition, in the order of their first rows; rows keep their order. */
  | {
      readonly outcome: 'split'
      readonly parts: readonly (JobResult & { readonly partition: PartitionTuple })[]
    }

/** The rows of a table, as the engine reads them. */
export interface QueryTable {
  /** The fields that the query uses, at least. */
  readonly schema: Schema
  /** In the order of the table, with the columns of the schema, or of the restriction. */
  readonly sources: readonly SourceFile[]
  /** What of the rows the query gets to see; positions are those of the sources all the same. */
  readonly restriction?: SourceRestriction | undefined
}

/** Position of a row in a table. */
export interface RowPosition {
  /** Index of its source. */
  readonly source: number
  /** Its position in the source, deleted rows included. */
  readonly row: number
}

/** The part of a result that is wanted. */
export interface ResultPart {
  readonly rowsMax: number
  /** More is `result-too-large`. */
  readonly bytesMax: number
  /** Rows that are left out at its beginning. */
  readonly offset?: number
  /** Rows up to this one are left out; for queries without groups and order. */
  readonly after?: RowPosition
  /** Whether nobody asks where the last row is. */
  readonly withoutLast?: true
}

/** A query of a table, written to a file. Floating sums are added in the order of the rows. */
export interface QueryJob {
  readonly table: QueryTable
  readonly query: BoundQuery
  /** Everything without it. */
  readonly part?: ResultPart
  readonly target: ExportJob['target']
  /** Whether a short output may be in the result, instead of in the target. */
  readonly takesText?: true
}

export interface QueryResult extends JobResult {
  /** Whether the query has rows after the part. */
  readonly hasMore: boolean
  /** The last row of a part of a query without groups, where it is asked for. */
  readonly last?: RowPosition
  /** The whole output: then there is no file. */
  readonly text?: Uint8Array
}

/** A table that a text of SQL names, at a moment, at a version, or now. */
export interface SqlReference {
  readonly table: string
  readonly timestamp?: string
  /** A snapshot id, or the name of a branch or tag. */
  readonly version?: string
}

export interface ParsedSql {
  readonly references: readonly SqlReference[]
  /** The text as the engine writes it, with names of its own for tables: `t0`, `t1`, ... */
  readonly canonical: string
}

/** One SELECT of a user. */
export interface SqlJob extends Pick<QueryJob, 'part' | 'target' | 'takesText'> {
  readonly sql: string
  /** For each reference, in their order. */
  readonly tables: readonly QueryTable[]
}

export interface SqlResult extends Pick<QueryResult, 'rows' | 'bytes' | 'hasMore' | 'text'> {
  /** Names and types of the result; its field ids are 1, 2, ... */
  readonly schema: Schema
}

export interface JobOptions {
  /** Stops the job and frees its worker; the job fails with the signal's reason. */
  readonly signal?: AbortSignal
  /** Told from time to time how many bytes the job has on the disk, of any kind. */
  readonly onWrite?: (bytes: number) => void
  /**
   * Told what a child has read from files for the job when it has ended, whether it failed or not;
   * `undefined` where the system does not tell.
   */
  readonly onRead?: (bytes: number | undefined) => void
  /** Once it has its turn; no longer than what the engine allows any job. */
  readonly timeoutMs?: number
}

/**
 * Converts files, in supervised child processes of one thread each. A job reads and writes only the
 * paths it names. A job whose worker is killed from outside is tried once more, on a new worker. If
 * that is killed, too, or takes too long or too much memory, the job fails with `engine-failed`; a
 * corrupt file is `file-corrupt`, a disk that is full or nearly so `storage-full`. A failed job
 * leaves no file. The same job produces the same bytes on every machine. Passes
 * test/engine/engine.contract.ts.
 */
export interface Engine {
  export(job: ExportRequest, options?: JobOptions): Promise<JobResult>
  ingest(job: IngestJob, options?: JobOptions): Promise<IngestResult>
  split(job: SplitJob, options?: JobOptions): Promise<SplitResult>
  query(job: QueryJob, options?: JobOptions): Promise<QueryResult>
  /** `query-invalid` unless it is one SELECT of what queries may have. Binds and folds nothing. */
  parseSql(sql: string, options?: JobOptions): Promise<ParsedSql>
  querySql(job: SqlJob, options?: JobOptions): Promise<SqlResult>
  /** Kills running jobs. */
  close(): Promise<void>
}
