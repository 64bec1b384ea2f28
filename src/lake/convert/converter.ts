import type { PathStore } from '../../catalog/path-store.ts'
import { mapBounded } from '../../core/bounded.ts'
import { withRowIdFields } from '../../core/file/row-id-fields.ts'
import type { OpenFile, ScratchFile } from '../../core/open-file.ts'
import type { Restriction, RowSelection } from '../../core/table/restriction.ts'
import { defaultSpec, type TableDefinition } from '../../core/table/table.ts'
import { untilStopped } from '../../core/until-stopped.ts'
import type { Schema } from '../../core/value/type.ts'
import {
  type Engine,
  type ExportJob,
  type ExportRequest,
  type IngestJob,
  type IngestResult,
  type InheritedRowIds,
  type JobOptions,
  type JobResult,
  type ParsedSql,
  type QueryJob,
  type QueryResult,
  type QueryTable,
  type ResultPart,
  type SplitJob,
  type SplitResult,
  type SqlJob,
  type SqlResult,
  splitTarget,
  type TextFormat,
} from '../../engine/engine.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { HeldFiles } from '../deletion/file-holds.ts'
import { KnownFooters } from '../file/known-footers.ts'
import type { SourceIdentity } from '../file/source-identity.ts'
import type { PlannedFile } from '../scan/plan-files.ts'
import { namingSource, requireRows, withholding } from './data-file-faults.ts'
import { ofFiles, optionsOf } from './job-options.ts'
import { LocalFileCache } from './local-file-cache.ts'
import { describeNewFile, describeSource } from './source-file.ts'
import { sourceRestriction } from './source-restriction.ts'

/** Footers that one query reads at once. */
const SOURCES_AT_ONCE = 16

export interface ConverterOptions {
  readonly objects: ObjectStore
  /** What data files were when they were committed. */
  readonly paths: Pick<PathStore, 'findFooters'>
  readonly engine: Engine
  /** Other children, so that conversions and queries do not wait for each other. */
  readonly queryEngine: Engine
  /** Absolute path of a folder of this process alone; best on the warehouse's disk. */
  readonly folder: string
  /** Bound of local copies of objects that nobody uses at the moment. */
  readonly cacheBytesMax: number
  /** Conversions that one request may have under way at once. */
  readonly atOnce: number
  newUuid(): string
  /**
   * Writes a new file in constant memory; when the chunks throw, or exceed `bytesMax`
   * (`body-too-large`), nothing remains.
   */
  writeLocalFile(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    limits: { readonly bytesMax: number },
  ): Promise<void>
  readLocalFile(path: string): Promise<Uint8Array>
  openLocalFile(path: string): Promise<OpenFile>
  openScratchFile(path: string): Promise<ScratchFile>
  /** No error when nothing is there. */
  removeLocalFile(path: string): Promise<void>
}

interface Output extends Pick<ExportJob['target'], 'format' | 'compression'> {
  /** Columns of the output. */
  readonly schema: Schema
  readonly signal?: AbortSignal | undefined
  /** As `JobOptions` has it. */
  readonly onWrite?: ((bytes: number) => void) | undefined
}

/** The live rows of a data file, to be written in another form. */
export interface Conversion extends Output {
  readonly definition: TableDefinition
  readonly source: Pick<PlannedFile, 'dataFile' | 'deleteFiles'>
  /** What of the rows may be in the output. */
  readonly restriction: Restriction | RowSelection
  /** Until the conversion ends. */
  readonly held: HeldFiles
  /** Columns as the file is read by. */
  readonly readAs: Schema
  /** Given where the output has the columns of row ids behind its own. */
  readonly rowIds?: InheritedRowIds | undefined
  /** Field id in the file of each field of the output that has another one there. */
  readonly idsInFile?: ReadonlyMap<number, number>
}

/** Some data files of a table. */
export interface QueriedTable {
  readonly definition: TableDefinition
  /** The fields that the query uses, at least. */
  readonly readAs: Schema
  /** What of the rows the query gets to see. */
  readonly restriction: Restriction
  /** Until the query ends. */
  readonly held: HeldFiles
  readonly sources: readonly Pick<PlannedFile, 'dataFile' | 'deleteFiles'>[]
}

interface QueryOutput {
  readonly format: ExportJob['target']['format']
  readonly header?: boolean
  readonly signal?: AbortSignal | undefined
  /** As `JobOptions` has it. */
  readonly onRead?: JobOptions['onRead'] | undefined
  /** As `JobOptions` has it. */
  readonly onWrite?: JobOptions['onWrite'] | undefined
  /** As `JobOptions` has it. */
  readonly timeoutMs?: number
  /** `conversion`: has as long as one, and waits behind them. */
  readonly runsAs?: 'conversion'
}

export interface TableQuery
  extends QueriedTable,
    QueryOutput,
    Pick<QueryJob, 'query' | 'part' | 'takesText'> {}

/** A text of a user, and the tables that it names, in their order. */
export interface SqlQuery extends QueryOutput, Pick<SqlJob, 'sql' | 'part' | 'takesText'> {
  readonly tables: readonly QueriedTable[]
}

/** A file that was made, on the local disk: it is gone when the work that is given it ends. */
export interface LocalResult extends JobResult {
  readonly path: string
}

/**
 * Rows in other files: data files in the formats of dumps or with other columns, texts as data
 * files. Has the engine, a folder of the local disk for what it makes, and local copies of objects
 * for it to read.
 */
export class Converter {
  readonly options: ConverterOptions
  readonly #localFiles: LocalFileCache

  constructor(options: ConverterOptions) {
    this.options = options
    this.#localFiles = new LocalFileCache({ ...options, bytesMax: options.cacheBytesMax })
  }

  get atOnce(): number {
    return this.options.atOnce
  }

  /**
   * A failure names the data file. `data-file-changed` when it is not the one that was committed,
   * `file-corrupt` when it has not the rows that the table counts.
   */
  async convert<T>(
    conversion: Conversion,
    place: (made: LocalResult, identity: () => Promise<SourceIdentity>) => Promise<T>,
  ): Promise<T> {
    const { source, definition, idsInFile, restriction, held, rowIds, ...output } = conversion
    const withRowIds = rowIds === undefined ? (own: Schema) => own : withRowIdFields
    const [readAs, schema] = [withRowIds(output.readAs), withRowIds(output.schema)]
    const restricted = sourceRestriction(restriction, readAs)
    try {
      return await this.#localFiles.use(async ({ pathOf }) => {
        const { objects, paths } = this.options
        const footers = new KnownFooters(paths, definition.tableUuid, [source])
        const { file, identity } = await describeSource(
          { objects, pathOf },
          { definition, schema: restricted?.readAs ?? readAs, rowIds },
          source,
          () => footers.read(objects, 0),
        )
        if (restricted !== undefined) {
          const job = { ...output, schema, restriction: restricted }
          return this.#export({ ...job, source: file }, (made) => place(made, identity))
        }
        const names = new Map(file.columns.map((each) => [each.fieldId, each.nameInFile]))
        const columns = schema.fields.map(({ id }) => ({
          fieldId: id,
          nameInFile: names.get(idsInFile?.get(id) ?? id),
        }))
        const known = idsInFile === undefined ? {} : { idsInFile }
        const read = { ...file, ...known, columns }
        return this.#export({ ...output, schema, source: read }, (made) => {
          requireRows(source, made.rows)
          return place(made, identity)
        })
      })
    } catch (error) {
      throw withholding(namingSource(error, source), restriction)
    }
  }

  /**
   * The result of a query as a file, or in itself where it may take that; `result-too-large` where
   * its part is.
   */
  async query<T>(
    { query, part, takesText, ...asked }: TableQuery,
    place: (result: QueryResult, path: string) => Promise<T>,
  ): Promise<T> {
    return await this.#ask([asked], asked, place, async ([table], target, options) => {
      const job = { table: table as QueryTable, query, ...partOf(part, takesText), target }
      return await this.#engineOf(asked).query(job, options)
    })
  }

  /** Does the same for a text that `parseSql` has taken. */
  async querySql<T>(
    { sql, part, takesText, tables, ...output }: SqlQuery,
    place: (result: SqlResult, path: string) => Promise<T>,
  ): Promise<T> {
    return await this.#ask(tables, output, place, async (described, target, options) => {
      const job = { sql, tables: described, ...partOf(part, takesText), target }
      return await this.#engineOf(output).querySql(job, options)
    })
  }

  #engineOf({ runsAs }: Pick<QueryOutput, 'runsAs'>): Engine {
    return runsAs === 'conversion' ? this.options.engine : this.options.queryEngine
  }

  parseSql(sql: string, signal?: AbortSignal): Promise<ParsedSql> {
    return this.options.queryEngine.parseSql(sql, optionsOf({ signal }))
  }

  /** A local file, whole. */
  read(path: string): Promise<Uint8Array> {
    return this.options.readLocalFile(path)
  }

  /** A local file that outlives the work that it was made for, until it is closed. */
  open(path: string): Promise<OpenFile> {
    return this.options.openLocalFile(path)
  }

  /** A new file of the local disk, which is there until it is closed. */
  openScratch(): Promise<ScratchFile> {
    return this.options.openScratchFile(this.#newPath())
  }

  async #ask<Result extends Pick<QueryResult, 'text'>, T>(
    tables: readonly QueriedTable[],
    { format, header = false, ...limits }: QueryOutput,
    place: (result: Result, path: string) => Promise<T>,
    run: (
      tables: readonly QueryTable[],
      target: ExportJob['target'],
      options: JobOptions,
    ) => Promise<Result>,
  ): Promise<T> {
    const path = this.#newPath()
    let isFile = true
    try {
      return await this.#localFiles.use(async ({ pathOf }) => {
        const described: QueryTable[] = []
        for (const { definition, readAs, restriction: of, sources } of tables) {
          const restriction = sourceRestriction(of, readAs)
          const schema = restriction?.readAs ?? readAs
          const { objects, paths } = this.options
          const footers = new KnownFooters(paths, definition.tableUuid, sources)
          const finding = mapBounded([...sources.entries()], SOURCES_AT_ONCE, async (entry) => {
            limits.signal?.throwIfAborted()
            const [index, source] = entry
            const readFooter = () => footers.read(objects, index)
            const table = { definition, schema }
            const found = describeSource({ objects, pathOf }, table, source, readFooter)
            const named = found.catch((error) => Promise.reject(namingSource(error, source)))
            return (await named).file
          })
          const files = await untilStopped(finding, limits.signal)
          described.push({ schema: readAs, restriction, sources: files })
        }
        const target = { path, format, compression: 'none' as const, header }
        const onRead = ofFiles(tables, limits.onRead)
        const result = await run(described, target, optionsOf({ ...limits, onRead }))
        isFile = result.text === undefined
        return await place(result, path)
      })
    } catch (error) {
      throw tables.reduce((told, { restriction }) => withholding(told, restriction), error)
    } finally {
      if (isFile) await this.options.removeLocalFile(path)
    }
  }

  /** The columns without a row, in formats that can say so. */
  convertNothing<T>(output: Output, place: (made: LocalResult) => Promise<T>): Promise<T> {
    return this.#export({ ...output, source: undefined }, place)
  }

  /** A text as a Parquet file. What is a bad row of it is an outcome; then there is no file. */
  async ingest<T>(
    text: {
      readonly format: TextFormat
      readonly dialect?: IngestJob['dialect']
      readonly chunks: AsyncIterable<Uint8Array>
      readonly bytesMax: number
      readonly schema: Schema
      readonly signal?: AbortSignal | undefined
    },
    place: (result: IngestResult, path: string) => Promise<T>,
  ): Promise<T> {
    const { format, dialect, chunks, bytesMax, schema, signal } = text
    const { engine, writeLocalFile, removeLocalFile } = this.options
    const [path, targetPath] = [this.#newPath(), this.#newPath()]
    try {
      await writeLocalFile(path, chunks, { bytesMax })
      const job = { path, format, dialect, schema, targetPath }
      return await place(await engine.ingest(job, optionsOf({ signal })), targetPath)
    } finally {
      await removeLocalFile(path)
      await removeLocalFile(targetPath)
    }
  }

  /** The rows of a new file of the table, with the table's types. */
  async rewrite<T>(
    file: {
      readonly definition: TableDefinition
      readonly location: string
      readonly signal?: AbortSignal | undefined
    },
    place: (made: LocalResult) => Promise<T>,
  ): Promise<T> {
    const { definition, location, signal } = file
    return await this.#localFiles.use(async ({ pathOf }) => {
      const access = { objects: this.options.objects, pathOf }
      const { file: source, schema } = await describeNewFile(access, definition, location)
      const output = { schema, signal, format: 'parquet', compression: 'none' } as const
      return await this.#export({ ...output, source }, place)
    })
  }

  /**
   * The rows of a new file of the table by partition, each as a file with its index in the result;
   * those are gone when `place` ends.
   */
  async split<T>(
    file: {
      readonly definition: TableDefinition
      readonly location: string
      readonly partitionsMax: number
      readonly signal?: AbortSignal | undefined
    },
    place: (result: SplitResult, pathOfPart: (index: number) => string) => Promise<T>,
  ): Promise<T> {
    const { definition, location, partitionsMax, signal } = file
    const targetPrefix = this.#newPath()
    const pathOfPart = (index: number) => splitTarget(targetPrefix, index)
    let parts = 0
    try {
      return await this.#localFiles.use(async ({ pathOf }) => {
        const access = { objects: this.options.objects, pathOf }
        const { file: source, schema } = await describeNewFile(access, definition, location)
        const spec = defaultSpec(definition)
        const job: SplitJob = { source, schema, spec, partitionsMax, targetPrefix }
        const result = await this.options.engine.split(job, optionsOf({ signal }))
        if (result.outcome === 'split') parts = result.parts.length
        return await place(result, pathOfPart)
      })
    } finally {
      for (let i = 0; i < parts; i++) await this.options.removeLocalFile(pathOfPart(i))
    }
  }

  async #export<T>(
    asked: Output & Pick<ExportRequest, 'source' | 'restriction'>,
    place: (made: LocalResult) => Promise<T>,
  ): Promise<T> {
    const { source, schema, restriction, format, compression, ...options } = asked
    const path = this.#newPath()
    const job = { source, schema, restriction, target: { path, format, compression } }
    try {
      const result = await this.options.engine.export(job, optionsOf(options))
      return await place({ ...result, path })
    } finally {
      await this.options.removeLocalFile(path)
    }
  }

  #newPath(): string {
    return `${this.options.folder}/${this.options.newUuid()}`
  }
}

function partOf(
  part: ResultPart | undefined,
  takesText: true | undefined,
): Pick<QueryJob, 'part' | 'takesText'> {
  return { ...(part !== undefined && { part }), ...(takesText === true && { takesText }) }
}
