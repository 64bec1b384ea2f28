import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { openSqliteCatalog } from '../../src/catalog/sqlite/sqlite.ts'
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { commitBatch } from '../../src/lake/commit/commit-batch.ts'
import { CommitQueue } from '../../src/lake/commit/commit-queue.ts'
import { LocalFileCache } from '../../src/lake/convert/local-file-cache.ts'
import type { Dependencies, Meter } from '../../src/lake/lake.ts'
import { Publisher } from '../../src/lake/publish/publisher.ts'
import { ManifestCache } from '../../src/lake/scan/manifest-cache.ts'
import type { UploadDependencies } from '../../src/modules/files/upload.ts'
import { writeLocalFile } from '../../src/objects/local/local-file.ts'
import { openLocalStore } from '../../src/objects/local/local-store.ts'

export const SHARED_DATA = new URL('../../../shared/data', import.meta.url).pathname

/** Counts what services report, for tests to look at. */
export class CountingMeter implements Meter {
  readonly counts: Record<string, number> = {}
  #count(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by
  }
  committed(transactions: number): void {
    this.#count('committed', transactions)
  }
  commitRefused(code: string): void {
    this.#count(`refused ${code}`)
  }
  commitRetried(): void {
    this.#count('retried')
  }
  filesStaged(files: number): void {
    this.#count('staged', files)
  }
  published(): void {
    this.#count('published')
  }
  manifestCacheHit(): void {
    this.#count('hit')
  }
  manifestCacheMiss(): void {
    this.#count('miss')
  }
  manifestCacheBytes(bytes: number): void {
    this.counts['bytes'] = bytes
  }
}

export type WorkshopDependencies = UploadDependencies

export interface Workshop {
  readonly deps: WorkshopDependencies
  readonly meter: CountingMeter
  /** A folder that files may be registered from. */
  readonly dataFolder: string
  /** Moves the clock; it stands still otherwise. */
  setClock(ms: number): void
  /** Another process on the same catalog and files. */
  another(): Promise<WorkshopDependencies>
  close(): Promise<void>
}

export const START_MS = Date.UTC(2024, 2, 17)

/** The services over a real SQLite file and real files, without HTTP. */
export async function openWorkshop(): Promise<Workshop> {
  const home = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  const dataFolder = join(home, 'lake')
  let nowMs = START_MS
  let uuids = 0
  const ambient = {
    nowMs: () => nowMs,
    newUuid: () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, '0')}`,
    sleep: (ms: number) => sleep(Math.min(ms, 5)),
    random: () => 0.5,
  }
  const meter = new CountingMeter()
  const opened: { catalog: Catalog; publisher: Publisher; engine: Engine }[] = []
  const open = async (): Promise<WorkshopDependencies> => {
    const catalog = await openSqliteCatalog({ path: join(home, 'catalog.db') })
    await catalog.migrate()
    const objects = await openLocalStore({
      writableRoots: [`file://${home}/warehouse`, `file://${dataFolder}`],
      readableRoots: [`file://${SHARED_DATA}`],
    })
    const log = { warn: (facts: unknown, message: string) => warnings.push({ facts, message }) }
    const publisher = new Publisher({ catalog, objects, ambient, meter, log })
    const temporaryFolder = join(home, 'tmp')
    // A child starts with the first conversion.
    const engine = await openDuckDbEngine({
      ...{ processes: 2, memoryBytes: 512 * 1024 * 1024, temporaryFolder },
      ...{ jobTimeoutMs: 60_000, queueMax: 100 },
    })
    opened.push({ catalog, publisher, engine })
    const manifests = new ManifestCache({ objects, bytesMax: 64 * 1024 * 1024, meter })
    const warehouse = `file://${home}/warehouse`
    const base: Dependencies = {
      ...{ catalog, objects, ambient, meter, log, publisher, manifests, warehouse },
    }
    return {
      ...base,
      engine,
      temporaryFolder,
      localFiles: new LocalFileCache({
        ...{ objects, folder: temporaryFolder, bytesMax: 2 ** 30, newUuid: ambient.newUuid },
        ...{ writeLocalFile, removeLocalFile: (path) => rm(path, { force: true }) },
      }),
      conversionsAtOnce: 2,
      removeLocalFile: (path) => rm(path, { force: true }),
      writeLocalFile,
      commits: new CommitQueue((batch) => commitBatch(base, batch), { sleep: ambient.sleep }),
    }
  }
  const warnings: unknown[] = []
  return {
    deps: await open(),
    meter,
    dataFolder,
    setClock: (ms) => {
      nowMs = ms
    },
    another: open,
    async close() {
      for (const { engine } of opened) await engine.close()
      for (const { publisher } of opened) await publisher.close()
      for (const { catalog } of opened) await catalog.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}
