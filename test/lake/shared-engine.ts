import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'
import type { Engine } from '../../src/engine/engine.ts'

interface Opened {
  readonly engine: Engine
  readonly folder: string
}

/**
 * From sources, tsx reserves another GB of address space as soon as a child may have 2.4 GB, and
 * one more from 3.5 GB on: with 512 MB, nothing would be left for Arrow.
 */
const MEMORY_BYTES = 640 * 1024 * 1024

/**
 * One engine for all that a test file opens, from its first job to the file's end: a worker takes
 * longer to start than most jobs to do.
 */
class SharedEngine implements Engine {
  #opened: Promise<Opened> | undefined

  export: Engine['export'] = async (job, options) => (await this.#open()).export(job, options)

  ingest: Engine['ingest'] = async (job, options) => (await this.#open()).ingest(job, options)

  split: Engine['split'] = async (job, options) => (await this.#open()).split(job, options)

  query: Engine['query'] = async (job, options) => (await this.#open()).query(job, options)

  parseSql: Engine['parseSql'] = async (sql, o) => (await this.#open()).parseSql(sql, o)

  querySql: Engine['querySql'] = async (job, o) => (await this.#open()).querySql(job, o)

  /** Closes nothing: others share it. */
  async close(): Promise<void> {}

  async end(): Promise<void> {
    const opened = await this.#opened
    this.#opened = undefined
    await opened?.engine.close()
    if (opened !== undefined) await rm(opened.folder, { recursive: true, force: true })
  }

  async #open(): Promise<Engine> {
    this.#opened ??= open()
    return (await this.#opened).engine
  }
}

async function open(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-engine-'))
  const engine = await openDuckDbEngine({
    processes: 2,
    memoryBytes: MEMORY_BYTES,
    temporaryFolder: folder,
    jobTimeoutMs: 60_000,
    queueMax: 100,
  })
  return { engine, folder }
}

export const sharedEngine = new SharedEngine()
afterAll(() => sharedEngine.end())
