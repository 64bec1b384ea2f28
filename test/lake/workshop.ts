import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../../src/config.ts'
import type { Meter } from '../../src/lake/lake.ts'
import { openPlatform, type Platform } from '../../src/service.ts'
import { sharedEngine } from './shared-engine.ts'

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

export type WorkshopDependencies = Platform

export interface Workshop {
  readonly deps: WorkshopDependencies
  readonly meter: CountingMeter
  /** A folder that files may be registered from. */
  readonly dataFolder: string
  /** Moves the clock, which stands still otherwise. */
  setClock(ms: number): void
  /** Another process on the same catalog and files. */
  another(): Promise<WorkshopDependencies>
  close(): Promise<void>
}

export const START_MS = Date.UTC(2024, 2, 17)

export interface WorkshopOptions {
  /** Whether the engine is shared by the whole test file, as it is by default. */
  readonly sharesEngine?: boolean
}

/** The services over a real SQLite file and real files, without HTTP. */
export async function openWorkshop({
  sharesEngine = true,
}: WorkshopOptions = {}): Promise<Workshop> {
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
  const warnings: unknown[] = []
  const config = readConfig({
    MORAINE_HOME: home,
    MORAINE_ALLOWED_LOCATIONS: SHARED_DATA,
    MORAINE_ENGINE_PROCESSES: '2',
    MORAINE_MANIFEST_CACHE: '64MB',
  })
  const platforms: Platform[] = []
  const open = async (): Promise<Platform> => {
    const platform = await openPlatform(config, {
      ambient,
      meter,
      log: { warn: (facts, message) => warnings.push({ facts, message }) },
      // Starting threads takes longer than most of these tests.
      inThreads: false,
      writableFolders: [`file://${dataFolder}`],
      ...(sharesEngine && { wrapEngine: () => sharedEngine }),
    })
    platforms.push(platform)
    return platform
  }
  return {
    deps: await open(),
    meter,
    dataFolder,
    setClock: (ms) => {
      nowMs = ms
    },
    another: open,
    async close() {
      for (const platform of platforms) await platform.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}
