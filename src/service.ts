import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { BackgroundWork } from './background.ts'
import type { Catalog } from './catalog/catalog.ts'
import { ComputerClock } from './catalog/clock/computer-clock.ts'
import { DatabaseClock } from './catalog/clock/database-clock.ts'
import { type Config, localPathOf } from './config.ts'
import type { Ambient } from './core/ambient.ts'
import { LOCAL_FILE_CACHE_BYTES_MAX } from './core/limits.ts'
import type { Log } from './core/log.ts'
import type { Engine } from './engine/engine.ts'
import { openEngineFolder, sweepEngineFolders } from './engine/job-folder.ts'
import type { EngineOverrides } from './engine/open-engines.ts'
import { readTableMetadataFile, readViewMetadataFile } from './formats/metadata/metadata-file.ts'
import { counterOf, Metrics, type Meter as ShownMeter } from './http/metrics.ts'
import type { ServerOptions } from './http/serve/server.ts'
import { commitBatch } from './lake/commit/commit-batch.ts'
import { type CommitBatch, CommitQueue } from './lake/commit/commit-queue.ts'
import { SharedTurns } from './lake/commit/shared-turns.ts'
import { Converter } from './lake/convert/converter.ts'
import { FileHolds } from './lake/deletion/file-holds.ts'
import { EventFeed } from './lake/events/event-feed.ts'
import { Jobs } from './lake/jobs/jobs.ts'
import { Waiters } from './lake/jobs/waiters.ts'
import type { LakeServices, Meter, ReadTableMetadata, ReadViewMetadata } from './lake/lake.ts'
import { notedPolicies } from './lake/policies/noted-policies.ts'
import { Publisher } from './lake/publish/publisher.ts'
import { type DecodeManifest, ManifestCache } from './lake/scan/manifest-cache.ts'
import { followedCatalog, NameChanges } from './lake/table/followed-names.ts'
import { noteNamespace } from './lake/table/namespace-note.ts'
import { notedNamespaces } from './lake/table/noted-namespaces.ts'
import type { Module } from './modules/module.ts'
import { LakeMetrics } from './modules/operations/lake-metrics.ts'
import type { ModulePlatform } from './modules.ts'
import {
  openLocalFile,
  openScratchFile,
  removeLocalFile,
  writeLocalFile,
} from './objects/local/local-file.ts'
import { LocalThreads } from './objects/local/local-threads.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { oldLocation } from './objects/relocated-store.ts'
import { accessServices, addressesOf, gateOf, openAccess } from './open-access.ts'
import { openObjects, watchedStores } from './open-objects.ts'
import { openSources } from './open-sources.ts'
import { openVending } from './open-vending.ts'
import { type Opened, openAll } from './opened.ts'
import { OwnWarehouse, type WarehouseChecks } from './own-warehouse.ts'
import { cannotListen, catalogUnusable, makeFolder } from './start-failure.ts'
import { ManifestThreads } from './threads/manifest-threads.ts'
import { MetadataThread } from './threads/metadata-thread.ts'
import { VERSION } from './version.ts'

const AMBIENT: Ambient = {
  nowMs: () => Date.now(),
  newUuid: () => randomUUID(),
  sleep: async (ms, until) => {
    if (until === undefined) return await sleep(ms)
    await sleep(ms, undefined, { signal: until }).catch((error: unknown) => {
      if (!until.aborted) throw error
    })
  },
  random: () => Math.random(),
}

/** Writers mostly wait for the disk: one for each file of a commit, and one for publications. */
const OBJECT_THREADS = { writers: 4, readers: 1 }
/** One core is left to the event loop. */
const MANIFEST_THREADS = Math.min(4, availableParallelism() - 1)

/** Parts that tests and benches replace or wrap. */
export interface Overrides extends EngineOverrides {
  readonly ambient?: Partial<Ambient>
  readonly log?: Log
  readonly meter?: Meter
  readonly wrapCatalog?: (catalog: Catalog) => Catalog
  /** A bench adds the latency of a bucket here. */
  readonly wrapObjects?: (objects: ObjectStore) => ObjectStore
  /** Whether threads write short files and decode manifests; true by default. */
  readonly inThreads?: boolean
  /** Whether an empty catalog takes over a warehouse that has tables. */
  readonly adoptsWarehouse?: boolean
  /** Whether even a large SQLite file is checked as a whole before anything else. */
  readonly checksWholeCatalog?: boolean
  /** Writable folders besides the warehouse: absolute paths or `file:///` URIs. */
  readonly writableFolders?: readonly string[]
}

/** The open stores and the lake on them, without a network. */
export type Platform = ModulePlatform &
  Lake &
  WarehouseChecks & {
    /** Finishes pending publications, then closes everything in reverse order of opening. */
    close(): Promise<void>
  }

/**
 * Opens the stores, the engine and the lake. Several can be open in one process, even on one
 * catalog. On failure, closes what was opened; throws a `ConfigError` if an operator can fix it.
 */
export function openPlatform(config: Config, overrides: Overrides = {}): Promise<Platform> {
  return openAll(async (opened) => {
    const { metrics, meter } = newMeter(overrides)
    const lake = await openLake(config, { ...overrides, meter }, opened)
    const waiters = new Waiters()
    const feed = opened.add(new EventFeed(lake), (it) => it.close())
    const access = await openAccess(config, { ...lake, feed }, opened)
    await makeFolder(config, config.temporaryFolder)
    const engines = await openEnginesOf(config, overrides, opened)
    // If this process is killed, the engine of a later one removes the folder.
    const folder = opened.add(await openEngineFolder(config.temporaryFolder), (path) =>
      rm(path, { recursive: true, force: true }),
    )
    return {
      ...lake,
      ...{ waiters, feed, ...accessServices(access, config, lake) },
      jobs: new Jobs(lake, waiters),
      metrics,
      watchedStores: watchedStores(config, lake.objects, lake.lookForWarehouse),
      ...{ version: VERSION, publicUrl: config.publicUrl },
      converter: new Converter({
        ...{ objects: lake.objects, paths: lake.catalog.paths },
        ...engines,
        folder,
        cacheBytesMax: LOCAL_FILE_CACHE_BYTES_MAX,
        // Of those in a bucket, the next files are fetched while others are converted.
        atOnce: config.engineProcesses * (localPathOf(config.warehouse) === undefined ? 2 : 1),
        newUuid: lake.ambient.newUuid,
        ...{ writeLocalFile, openLocalFile, openScratchFile },
        readLocalFile: (path) => readFile(path),
        removeLocalFile,
      }),
      ...(await openSources(config, lake.ambient)),
      vending: await openVending(config, lake.ambient.nowMs, opened),
      dumpBudgetBytes: config.dumpBudgetBytes,
      linkExpirySeconds: config.linkExpirySeconds,
      deleteGraceMs: config.deleteGraceMs,
      ...{ queryLimits: config.queryLimits, inlineMax: config.inlineMax },
      sweepTemporaryFolders: (idleMs) => sweepEngineFolders(config.temporaryFolder, idleMs),
      close: () => opened.close(),
    }
  })
}

function newMeter(overrides: Overrides): { readonly metrics: Metrics; readonly meter: Meter } {
  const metrics = new Metrics()
  if (overrides.meter !== undefined) return { metrics, meter: overrides.meter }
  const meter = new LakeMetrics()
  metrics.register(meter.meters)
  return { metrics, meter }
}

async function openLake(
  config: Config,
  overrides: Overrides & { readonly meter: Meter },
  opened: Opened,
): Promise<Lake & Pick<Platform, 'links' | keyof WarehouseChecks> & { nameChanges: NameChanges }> {
  const { wrapCatalog, wrapObjects, inThreads = true, meter } = overrides
  const manifestThreads = opened.add(new ManifestThreads(MANIFEST_THREADS), (it) => it.close())
  const metadataThread = opened.add(new MetadataThread(), (it) => it.close())
  const objectThreads = opened.add(new LocalThreads(OBJECT_THREADS), (it) => it.close())
  const own = new OwnWarehouse()
  const plain = await openCatalog(config, overrides, opened)
  const { objects, links } = await openObjects(
    config,
    {
      beforeNewFolder: own.requireFor,
      writableFolders: overrides.writableFolders ?? [],
      ...(inThreads && { threads: objectThreads }),
    },
    opened,
  )
  const log = overrides.log ?? { warn: () => undefined }
  const warehouse = oldLocation(config.warehouse, config.relocations)
  const writableLocations = config.writableLocations.map((each) =>
    oldLocation(each, config.relocations),
  )
  const notes = { catalog: plain, objects, warehouse, log }
  const guarded = {
    ...notedPolicies(own.guard(plain), notes),
    namespaces: notedNamespaces(plain.namespaces, (levels) => noteNamespace(notes, levels)),
  }
  const nameChanges = new NameChanges()
  const catalog = config.auth === 'none' ? guarded : followedCatalog(guarded, nameChanges)
  const clock = opened.add((await DatabaseClock.of(catalog)) ?? new ComputerClock(log), (it) =>
    it.close(),
  )
  const ambient = { ...AMBIENT, nowMs: clock.nowMs, ...overrides.ambient }
  const { adoptsWarehouse: adopts = false } = overrides
  const places = { warehouse, writableLocations }
  await own.claim(config, { catalog, objects, ambient, ...places }, { adopts })
  const lake = composeLake(
    {
      catalog: wrapCatalog?.(catalog) ?? catalog,
      objects: wrapObjects?.(objects) ?? objects,
      ambient,
      log,
      meter,
      ...places,
    },
    {
      manifestCacheBytes: config.manifestCacheBytes,
      ...(inThreads && {
        decodeAside: (file, manifest) => manifestThreads.decode(file, manifest),
        readMetadataAside: metadataThread,
      }),
    },
  )
  opened.add(lake.publisher, (it) => it.close())
  opened.add(lake.holds, (it) => it.close())
  return { ...lake, links, nameChanges, ...own.checks }
}

/** The ports that the lake is built on. */
export interface LakePorts
  extends Omit<
    LakeServices,
    'commits' | 'holds' | 'manifests' | 'publisher' | 'readTableMetadata' | 'readViewMetadata'
  > {
  readonly catalog: Catalog
}

/** The lake, and the whole catalog for the capabilities. */
export interface Lake extends LakeServices {
  readonly catalog: Catalog
}

export interface LakeSettings {
  readonly manifestCacheBytes?: number
  /** Decodes manifests on another thread; if absent, they are decoded on this one. */
  readonly decodeAside?: DecodeManifest
  /** Reads metadata files on another thread; if absent, they are read on this one. */
  readonly readMetadataAside?: MetadataReader
  /** Replaces `commitBatch`, for tests of the queue. */
  readonly commitBatch?: CommitBatch
}

const MANIFEST_CACHE_BYTES = 256 * 1024 * 1024

/** Reads metadata files. */
interface MetadataReader {
  readonly read: ReadTableMetadata
  readonly readView: ReadViewMetadata
}

const READ_HERE: MetadataReader = {
  read: async (bytes) => readTableMetadataFile(bytes),
  readView: async (bytes) => readViewMetadataFile(bytes),
}

/** Builds the lake on open ports. Starts nothing; the caller closes its publisher. */
export function composeLake(ports: LakePorts, settings: LakeSettings = {}): Lake {
  const { catalog, objects, ambient, log, meter, warehouse, writableLocations } = ports
  const { manifestCacheBytes: bytesMax = MANIFEST_CACHE_BYTES, decodeAside } = settings
  const { readMetadataAside: aside = READ_HERE } = settings
  const base: LakePorts & Omit<LakeServices, 'commits'> = {
    catalog,
    objects,
    ambient,
    log,
    meter,
    warehouse,
    writableLocations,
    manifests: new ManifestCache({ objects, bytesMax, meter, decodeAside }),
    publisher: new Publisher({ catalog, objects, ambient, log, meter }),
    holds: new FileHolds({ catalog, ambient, log }),
    readTableMetadata: (bytes) => aside.read(bytes),
    readViewMetadata: (bytes) => aside.readView(bytes),
  }
  const commit = settings.commitBatch ?? ((batch, turn) => commitBatch(base, batch, turn))
  const turns = new SharedTurns(catalog)
  return { ...base, commits: new CommitQueue(commit, { turns, sleep: ambient.sleep }) }
}

async function openCatalog(config: Config, overrides: Overrides, opened: Opened): Promise<Catalog> {
  if (config.catalog.kind === 'sqlite') await makeFolder(config, dirname(config.catalog.path))
  try {
    const catalog = opened.add(await openDatabase(config, overrides), (it) => it.close())
    for (const note of await catalog.migrate()) overrides.log?.warn({}, note)
    return catalog
  } catch (error) {
    throw catalogUnusable(config, error)
  }
}

/** Loads only the driver in use, since loading modules takes time. */
async function openDatabase(
  { catalog, postgresConnectionsMax }: Config,
  { log, checksWholeCatalog = false }: Overrides,
): Promise<Catalog> {
  const onDamage = (err: unknown) =>
    log?.warn({ err }, 'the catalog database is damaged: nothing is written any more')
  if (catalog.kind === 'postgres') {
    const { openPostgresCatalog } = await import('./catalog/postgres/postgres.ts')
    const connectionsMax = postgresConnectionsMax
    return openPostgresCatalog({ url: catalog.url, connectionsMax, onDamage })
  }
  const { openSqliteCatalog } = await import('./catalog/sqlite/sqlite.ts')
  return openSqliteCatalog({ path: catalog.path, checksWhole: checksWholeCatalog, onDamage })
}

async function openEnginesOf(config: Config, overrides: Overrides, opened: Opened) {
  const { openEngines } = await import('./engine/open-engines.ts')
  const { engineProcesses: processes, engineMemoryBytes: memoryBytes, temporaryFolder } = config
  const reserveBytesMax = config.diskReserveBytes
  const add = (engine: Engine) => opened.add(engine, (it) => it.close())
  const options = { processes, memoryBytes, temporaryFolder, reserveBytesMax, add }
  return openEngines(options, overrides)
}

export interface ServiceOverrides extends Omit<Overrides, 'log'> {
  /** Returns how many lines of its log were lost. */
  readonly logLinesDropped?: () => number
  readonly app?: Pick<
    ServerOptions,
    'authorizer' | 'isPermissionEnforced' | 'uploadPace' | 'readerPace' | 'idleMs'
  >
}

export interface RunningService {
  readonly url: string
  readonly deps: Platform
  /** Accepts no new requests, waits for open ones, finishes pending publications. */
  close(): Promise<void>
}

/** Opens a platform, serves it over HTTP and runs its background work. */
export function startService(
  config: Config,
  log: Logger,
  overrides: ServiceOverrides = {},
): Promise<RunningService> {
  return openAll(async (opened) => {
    const platform = await openPlatform(config, { ...overrides, log })
    opened.add(platform, (it) => it.close())
    const { metrics } = platform
    // Loaded only to serve; one after the other: Jest cannot link what imports share at once.
    const { openServer } = await import('./http/serve/server.ts')
    const { dialectsOf, listModules } = await import('./modules.ts')
    const { startBackground } = await import('./background.ts')
    const modules = listModules(platform)
    for (const module of modules) await module.prepare?.()
    for (const { meters = [] } of modules) metrics.register(meters)
    metrics.register([logMeter(overrides)])
    const { catalog, ambient } = platform
    const options = {
      metrics,
      log,
      dialects: dialectsOf(modules),
      ...addressesOf(config),
      connectionsMax: config.connectionsMax,
      bodyBytesMax: config.bodyBytesMax,
      answersOnce: { ...ambient, replays: catalog.replays },
      ...gateOf(platform),
      ...overrides.app,
    }
    const server = await openServer(config, options).catch((error: unknown) => {
      throw cannotListen(config, error)
    })
    let stopped: Promise<unknown> | undefined
    // Requests that wait for a module's work end when it stops, so both are closed together.
    const stopServing = () => {
      platform.waiters.close()
      stopped ??= Promise.all([server.close(), closeModules(modules)])
      return stopped
    }
    opened.add(server, stopServing)
    // No new requests from the first moment on, while the background ends.
    opened.add(startBackground(platform, workOf(modules)), (it) =>
      Promise.all([stopServing(), it.close()]),
    )
    platform.publisher.recover() // after start-up, so that early requests come first
    return { url: server.url, deps: platform, close: () => opened.close() }
  })
}

function logMeter({ logLinesDropped = () => 0 }: ServiceOverrides): ShownMeter {
  const help = 'Lines of the log that could not be written.'
  return counterOf('moraine_log_lines_dropped_total', help, logLinesDropped)
}

function closeModules(modules: readonly Module[]): Promise<unknown> {
  return Promise.all(modules.map((module) => module.close?.()))
}

/** Background work of all modules. */
function workOf(modules: readonly Module[]): BackgroundWork {
  return {
    tasks: modules.flatMap(({ tasks = [] }) => tasks),
    kinds: modules.flatMap(({ jobs = [] }) => jobs),
    consumers: modules.flatMap(({ consumes = [] }) => consumes),
  }
}
