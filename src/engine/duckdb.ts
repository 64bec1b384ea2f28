import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LinkedStop } from '../core/linked-stop.ts'
import {
  type Engine,
  type ExportRequest,
  type IngestJob,
  type IngestResult,
  type JobOptions,
  type JobResult,
  type ParsedSql,
  type QueryJob,
  type QueryResult,
  type SplitJob,
  type SplitResult,
  type SqlJob,
  type SqlResult,
  splitTarget,
} from './engine.ts'
import { openEngineFolder, publishFile, sweepEngineFolders, withJobFolder } from './job-folder.ts'
import { watchJob } from './job-watch.ts'
import { OUTPUT_NAME, outputPartName, type Task, type TaskResult } from './protocol.ts'
import { type PoolOptions, WorkerPool } from './worker-pool.ts'
import { LostChildError } from './worker-process.ts'

/** An upload of so much takes seconds, and with many columns or partitions minutes. */
const LONG_BYTES_MIN = 32 * 1024 * 1024

export interface DuckDbEngineOptions extends Omit<PoolOptions, 'folder'> {
  /** Memory of each child; beyond it DuckDB spills to disk. */
  readonly memoryBytes: number
  /** Folder for unfinished outputs and what DuckDB spills; best on the same disk as the targets. */
  readonly temporaryFolder: string
  /** Jobs are `storage-full` where less of that folder's disk is free. */
  readonly freeBytesMin?: number
}

export async function openDuckDbEngine(options: DuckDbEngineOptions): Promise<Engine> {
  const { temporaryFolder, jobTimeoutMs } = options
  await mkdir(temporaryFolder, { recursive: true })
  await sweepEngineFolders(temporaryFolder, jobTimeoutMs)
  return new DuckDbEngine(options, await openEngineFolder(temporaryFolder))
}

class DuckDbEngine implements Engine {
  readonly #pool: WorkerPool
  readonly #memoryBytes: number
  readonly #folder: string
  readonly #freeBytesMin: number

  constructor(options: DuckDbEngineOptions, folder: string) {
    this.#pool = new WorkerPool({ ...options, folder })
    this.#memoryBytes = options.memoryBytes
    this.#folder = folder
    this.#freeBytesMin = options.freeBytesMin ?? 0
  }

  async export(job: ExportRequest, options?: JobOptions): Promise<JobResult> {
    return await this.#perform({ kind: 'export', job }, options, async (result, output) => {
      await publishFile(output, job.target.path)
      return result as JobResult
    })
  }

  async ingest(job: IngestJob, options?: JobOptions): Promise<IngestResult> {
    return await this.#perform({ kind: 'ingest', job }, options, async (taskResult, output) => {
      const result = taskResult as IngestResult
      if (result.outcome === 'written') await publishFile(output, job.targetPath)
      return result
    })
  }

  async split(job: SplitJob, options?: JobOptions): Promise<SplitResult> {
    return await this.#perform({ kind: 'split', job }, options, async (taskResult, output) => {
      const result = taskResult as SplitResult
      if (result.outcome === 'split') await publishParts(job, result.parts.length, dirname(output))
      return result
    })
  }

  async query(job: QueryJob, options?: JobOptions): Promise<QueryResult> {
    return await this.#perform({ kind: 'query', job }, options, async (result, output) => {
      return await published(job, result as QueryResult, output)
    })
  }

  async parseSql(sql: string, options?: JobOptions): Promise<ParsedSql> {
    const task: Task = { kind: 'parse-sql', job: { sql } }
    return await this.#perform(task, options, async (result) => result as ParsedSql)
  }

  async querySql(job: SqlJob, options?: JobOptions): Promise<SqlResult> {
    return await this.#perform({ kind: 'query-sql', job }, options, async (result, output) => {
      return await published(job, result as SqlResult, output)
    })
  }

  async close(): Promise<void> {
    await this.#pool.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #perform<T>(
    task: Task,
    { signal, onWrite, ...limits }: JobOptions = {},
    publish: (result: TaskResult, output: string) => Promise<T>,
  ): Promise<T> {
    const ends = new LinkedStop(...(signal === undefined ? [] : [signal]))
    const watch = {
      freeBytesMin: this.#freeBytesMin,
      onWrite,
      stop: (reason: unknown) => ends.abort(reason),
    }
    try {
      const turn = { signal: ends.signal, isLong: await isLong(task) }
      return await this.#pool.inTurn(turn, async (run) => {
        const attempt = (inNewChild: boolean) =>
          withJobFolder(this.#folder, async (folder, wasNotMade) => {
            const request = { task, folder, memoryBytes: this.#memoryBytes }
            const unwatch = watchJob({ ...watch, folder })
            const result = await run(request, { ...limits, inNewChild }).finally(unwatch)
            if (!isFile(task, result)) wasNotMade()
            return await publish(result, join(folder, OUTPUT_NAME))
          })
        try {
          return await attempt(false)
        } catch (error) {
          if (error instanceof LostChildError) return await attempt(true)
          throw error
        }
      })
    } finally {
      ends.unlink()
    }
  }
}

/** Whether the output is in the folder of the job, and no text. */
function isFile({ kind }: Task, result: TaskResult): boolean {
  return kind !== 'parse-sql' && !('text' in result)
}

/** Whether it reads a large upload: what people send may be of any size, data files are not. */
async function isLong(task: Task): Promise<boolean> {
  if (task.kind !== 'ingest' && task.kind !== 'split') return false
  const path = task.kind === 'ingest' ? task.job.path : task.job.source.path
  // One that is not there fails in its turn.
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && found.size > LONG_BYTES_MIN
}

/** The result of a query, whose file gets its name, if it is one. */
async function published<T extends QueryResult | SqlResult>(
  { target }: Pick<QueryJob, 'target'>,
  result: T,
  output: string,
): Promise<T> {
  if (result.text === undefined) await publishFile(output, target.path)
  return result
}

/** All parts, or none. */
async function publishParts(
  { targetPrefix }: SplitJob,
  count: number,
  folder: string,
): Promise<void> {
  const published: string[] = []
  try {
    for (let i = 0; i < count; i++) {
      const target = splitTarget(targetPrefix, i)
      await publishFile(join(folder, outputPartName(i)), target)
      published.push(target)
    }
  } catch (error) {
    for (const path of published) await rm(path, { force: true })
    throw error
  }
}
