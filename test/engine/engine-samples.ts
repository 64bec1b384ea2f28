import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Field, Schema, Type } from '../../src/core/value/type.ts'
import type { Engine, ExportJob, JobResult } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'

export interface OpenedEngine {
  readonly engine: Engine
  /** Temporary folder of the engine; empty except for its own folder when nothing runs. */
  readonly temporaryFolder: string
  close(): Promise<void>
}

export type OpenEngine = () => Promise<OpenedEngine>

/** A folder of the test's own, with what it takes to try an engine on it. */
export class Bench {
  readonly engine: Engine
  readonly folder: string
  readonly #opened: OpenedEngine

  private constructor(opened: OpenedEngine, folder: string) {
    this.#opened = opened
    this.engine = opened.engine
    this.folder = folder
  }

  static async open(open: OpenEngine): Promise<Bench> {
    return new Bench(await open(), await mkdtemp(join(tmpdir(), 'moraine-engine-')))
  }

  async close(): Promise<void> {
    await this.#opened.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  newPath(extension: string): string {
    return this.path(`${randomUUID()}.${extension}`)
  }

  /** A Parquet file of the rows of a query. */
  async parquet(query: string, options = ''): Promise<string> {
    const path = this.newPath('parquet')
    await querySql(`SET TimeZone = 'UTC'; COPY (${query}) TO '${path}' (FORMAT parquet ${options})`)
    return path
  }

  async export(
    job: Omit<ExportJob, 'target'> & { target?: Partial<ExportJob['target']> },
  ): Promise<{
    readonly bytes: Buffer
    readonly path: string
    readonly result: JobResult
  }> {
    const target = {
      path: this.newPath('out'),
      format: 'csv' as const,
      compression: 'none' as const,
      ...job.target,
    }
    const result = await this.engine.export({ ...job, target })
    const bytes = await readFile(target.path)
    expect(result.bytes).toBe(bytes.length)
    return { bytes, path: target.path, result }
  }

  async exportText(job: Parameters<Bench['export']>[0]): Promise<string> {
    return (await this.export(job)).bytes.toString('utf8')
  }

  /** Names in the folder, but for those given: what a failed job may not leave. */
  async othersThan(...paths: readonly string[]): Promise<readonly string[]> {
    const names = await readdir(this.folder)
    return names.filter((name) => !paths.includes(this.path(name)))
  }

  /** Job folders that the engine keeps: none when nothing runs. */
  async jobFolders(): Promise<readonly string[]> {
    const own = await readdir(this.#opened.temporaryFolder)
    const jobs = await Promise.all(
      own.map((name) => readdir(join(this.#opened.temporaryFolder, name))),
    )
    return jobs.flat()
  }
}

export function field(id: number, name: string, type: Type | Type['kind'], more = {}): Field {
  const full = typeof type === 'string' ? ({ kind: type } as Type) : type
  return { id, name, required: false, type: full, ...more }
}

export function schemaOf(...fields: readonly Field[]): Schema {
  return { schemaId: 0, fields, identifierFieldIds: [] }
}

/** A job's source whose columns have the schema's names. */
export function sourceOf(path: string, schema: Schema): ExportJob['source'] {
  return {
    path,
    columns: schema.fields.map(({ id, name }) => ({ fieldId: id, nameInFile: name })),
  }
}

/** As a deletion vector of these rows is given to the engine. */
export function rowBits(rows: readonly number[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil((Math.max(...rows) + 1) / 8))
  for (const row of rows) bits[row >> 3] = (bits[row >> 3] ?? 0) | (0x80 >> (row & 7))
  return bits
}
