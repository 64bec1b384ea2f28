import type { NameMapping } from '../core/schema/name-mapping.ts'
import type { Schema } from '../core/value/type.ts'

export type TextFormat = 'csv' | 'ndjson'
export type ExportFormat = TextFormat | 'parquet' | 'arrow'
export type Compression = 'none' | 'gzip' | 'zstd'

/** A Parquet file on the local disk, seen through a table's schema. */
export interface SourceFile {
  /** Absolute path. */
  readonly path: string
  /** The columns of the output, in order: one for each field of the schema. */
  readonly columns: readonly SourceColumn[]
  /** Finds nested fields where the file has no field ids; without it they are found by their names. */
  readonly nameMapping?: NameMapping
  /** 0-based positions of rows that are deleted (a deletion vector). */
  readonly deletedPositions?: BigInt64Array
  readonly positionDeletes?: readonly PositionDelete[]
  readonly equalityDeletes?: readonly EqualityDelete[]
}

/** One top-level column of the output, in order. */
export interface SourceColumn {
  readonly fieldId: number
  /** Top-level name of the column in this file; `undefined` when the file lacks it: then every row has the default. */
  readonly nameInFile: string | undefined
}

export interface PositionDelete {
  /** Absolute path of a Parquet file of `file_path` and `pos`. */
  readonly path: string
  /** Its rows with exactly this `file_path` are positions in the source. */
  readonly dataFile: string
}

export interface EqualityDelete {
  /** Absolute path of a Parquet file; a row is deleted when it equals one of its rows in these columns (NULL equals NULL). */
  readonly path: string
  readonly columns: readonly EqualityColumn[]
}

export interface EqualityColumn {
  /** Of a column that may be gone from the schema. */
  readonly fieldId: number
  /** `undefined` when the file lacks it: then its rows have the default. */
  readonly nameInFile: string | undefined
  readonly nameInDeletes: string
}

export interface ExportJob {
  readonly source: SourceFile
  /** Names and types of the output; nested types included. */
  readonly schema: Schema
  readonly target: {
    /** Absolute path; must not exist. */
    readonly path: string
    readonly format: ExportFormat
    /** Of text only; Parquet and Arrow compress inside and take `none`. */
    readonly compression: Compression
    /** Begins with a line of column names. Of CSV only; otherwise there is none. */
    readonly header?: boolean
  }
}

/** Without a source: the columns and no row, for formats that can say so. */
export type ExportRequest = Omit<ExportJob, 'source'> & { readonly source: SourceFile | undefined }

/** Rows of a text file, typed by a schema, into Parquet with field ids. */
export interface IngestJob {
  /** Absolute path of the uploaded text. */
  readonly path: string
  readonly format: TextFormat
  readonly schema: Schema
  /** Absolute path of the Parquet file; must not exist. */
  readonly targetPath: string
}

export interface JobResult {
  readonly rows: number
  readonly bytes: number
}

/** `row-invalid` carries the line of the first bad row. */
export type IngestResult =
  | ({ readonly outcome: 'written' } & JobResult)
  | { readonly outcome: 'row-invalid'; readonly line: number; readonly detail: string }

export interface JobOptions {
  /** Ends the job and frees its worker; the job fails with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Converts files, in supervised child processes of one thread each. A job reads and writes the paths it names and
 * nothing else. A worker that crashes, is killed, takes too long or too much memory fails its job with `engine-failed`
 * and is replaced; a corrupt file is `file-corrupt`, a full disk `storage-full`. A failed job leaves no file.
 * The same job gives the same bytes, on every machine. Passes test/engine/engine.contract.ts.
 */
export interface Engine {
  export(job: ExportRequest, options?: JobOptions): Promise<JobResult>
  ingest(job: IngestJob, options?: JobOptions): Promise<IngestResult>
  /** Kills what runs. */
  close(): Promise<void>
}
