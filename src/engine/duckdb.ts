import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  Engine,
  ExportRequest,
  IngestJob,
  IngestResult,
  JobOptions,
  JobResult,
} from './engine.ts'
import { openEngineFolder, publishFile, sweepEngineFolders, withJobFolder } from './job-folder.ts'
import { OUTPUT_NAME } from './protocol.ts'
import { type PoolOptions, WorkerPool } from './worker-pool.ts'

export interface DuckDbEngineOptions extends Omit<PoolOptions, 'folder'> {
  /** Of the children's memory each; DuckDB spills to disk beyond it. */
  readonly memoryBytes: number
  /** For half-made outputs and what DuckDB spills; best on the disk of the targets. */
  readonly temporaryFolder: string
}

export async function openDuckDbEngine(options: DuckDbEngineOptions): Promise<Engine> {
  const { temporaryFolder, jobTimeoutMs } = options
  await mkdir(temporaryFolder, { recursive: true })
  await sweepEngineFolders(temporaryFolder, jobTimeoutMs)
  return new DuckDbEngine(options, await openEngineFolder(temporaryFolder))
}

class DuckDbEngine implements Engine {
  private readonly pool: WorkerPool
  private readonly memoryBytes: number
  private readonly folder: string

  constructor(options: DuckDbEngineOptions, folder: string) {
    this.pool = new WorkerPool({ ...options, folder })
    this.memoryBytes = options.memoryBytes
    this.folder = folder
  }

  async export(job: ExportRequest, options?: JobOptions): Promise<JobResult> {
    this.pool.requireOpen()
    return await withJobFolder(this.folder, async (folder) => {
      const request = {
        task: { kind: 'export', job },
        folder,
        memoryBytes: this.memoryBytes,
      } as const
      const result = await this.pool.run(request, options)
      await publishFile(join(folder, OUTPUT_NAME), job.target.path)
      return result as JobResult
    })
  }

  async ingest(job: IngestJob, options?: JobOptions): Promise<IngestResult> {
    this.pool.requireOpen()
    return await withJobFolder(this.folder, async (folder) => {
      const request = {
        task: { kind: 'ingest', job },
        folder,
        memoryBytes: this.memoryBytes,
      } as const
      const result = (await this.pool.run(request, options)) as IngestResult
      if (result.outcome === 'written') {
        await publishFile(join(folder, OUTPUT_NAME), job.targetPath)
      }
      return result
    })
  }

  async close(): Promise<void> {
    await this.pool.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}
