import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pino, { type Logger } from 'pino'
import type { Catalog } from './catalog/catalog.ts'
import { openSqliteCatalog } from './catalog/sqlite/sqlite.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import type { Ambient } from './core/ambient.ts'
import { LOCAL_FILE_CACHE_BYTES_MAX } from './core/limits.ts'
import { openDuckDbEngine } from './engine/duckdb.ts'
import type { Engine } from './engine/engine.ts'
import { openEngineFolder } from './engine/job-folder.ts'
import { createApp } from './http/app.ts'
import { watchEventLoop } from './http/event-loop.ts'
import { cutIdleSockets } from './http/idle-sockets.ts'
import { Metrics } from './http/metrics.ts'
import { createHttpServer } from './http/server.ts'
import { commitBatch } from './lake/commit/commit-batch.ts'
import { CommitQueue } from './lake/commit/commit-queue.ts'
import { forgetOldTransactions } from './lake/commit/transactions.ts'
import type { DumpDependencies } from './lake/convert/conversion-dependencies.ts'
import { LocalFileCache } from './lake/convert/local-file-cache.ts'
import type { Dependencies } from './lake/dependencies.ts'
import { forgetOldLeases } from './lake/jobs/old-leases.ts'
import { Publisher } from './lake/publish/publisher.ts'
import { ManifestCache } from './lake/scan/manifest-cache.ts'
import { forgetOldReplays } from './modules/iceberg-rest/idempotency.ts'
import { LakeMetrics } from './modules/operations/lake-metrics.ts'
import { listModules, type ModulePlatform, routesOf } from './modules.ts'
import { writeLocalFile } from './objects/local/local-file.ts'
import { openLocalStore } from './objects/local/local-store.ts'
import { LocalThreads } from './objects/local/local-threads.ts'
import type { ObjectStore } from './objects/object-store.ts'
import { ManifestThreads } from './threads/manifest-threads.ts'

const ambient: Ambient = {
  nowMs: () => Date.now(),
  newUuid: () => randomUUID(),
  sleep: (ms) => sleep(ms),
  random: () => Math.random(),
}

/** Writers wait for the disk most of the time: one for each file of a commit, and one for its publication. */
const OBJECT_THREADS = { writers: 4, readers: 1 }
/** One core is the event loop's. */
const MANIFEST_THREADS = Math.min(4, availableParallelism() - 1)
const FORGET_INTERVAL_MS = 3600 * 1000
/** One data file is converted in a job. */
const ENGINE_JOB_TIMEOUT_MS = 30 * 60 * 1000
const ENGINE_QUEUE_MAX = 1_000
/** Requests that still run get this long at the stop. */
const STOP_GRACE_MS = 10_000
/** A client that sends or takes nothing for so long is cut off. */
const IDLE_SOCKET_MS = 120_000

export interface RunningService {
  readonly url: string
  readonly deps: ModulePlatform
  /** Takes no new requests, lets those under way end, publishes what is left. */
  close(): Promise<void>
}

export interface StartOptions {
  /** For what stands between the service and its objects: a bench puts the latency of a bucket there. */
  readonly wrapObjects?: (objects: ObjectStore) => ObjectStore
}

interface Threads {
  readonly objects: LocalThreads
  readonly manifests: ManifestThreads
  close(): Promise<void>
}

/** Each starts when there is something for it to do. */
function newThreads(): Threads {
  const objects = new LocalThreads(OBJECT_THREADS)
  const manifests = new ManifestThreads(MANIFEST_THREADS)
  return {
    objects,
    manifests,
    close: async () => {
      await Promise.all([objects.close(), manifests.close()])
    },
  }
}

async function openStores(
  config: Config,
  {
    log,
    metrics,
    threads,
    wrapObjects,
  }: StartOptions & {
    readonly log: Logger
    readonly metrics: Metrics
    readonly threads: Threads
  },
): Promise<Dependencies> {
  const catalog = await openCatalog(config)
  await catalog.migrate()
  const store = await openLocalStore({
    writableRoots: [config.warehouse],
    readableRoots: config.allowedLocations,
    threads: threads.objects,
  })
  const objects = wrapObjects?.(store) ?? store
  const meter = new LakeMetrics()
  metrics.register(meter.meters)
  return {
    catalog,
    objects,
    ambient,
    log,
    meter,
    warehouse: config.warehouse,
    manifests: new ManifestCache({
      ...{ objects, bytesMax: config.manifestCacheBytes, meter },
      decodeAside: (file, manifest) => threads.manifests.decode(file, manifest),
    }),
    publisher: new Publisher({ catalog, objects, ambient, log, meter }),
  }
}

/** Opens the stores and listens. Several can run in one process. */
export async function startService(
  config: Config,
  log: Logger,
  options: StartOptions = {},
): Promise<RunningService> {
  const metrics = new Metrics()
  const threads = newThreads()
  const base = await openStores(config, { log, metrics, threads, ...options })
  const engine = await openEngine(config)
  // Swept by the engine of a later process, when this one was killed.
  const temporaryFolder = await openEngineFolder(config.temporaryFolder)
  const removeLocalFile = (path: string) => rm(path, { force: true })
  const dumpDeps: DumpDependencies = {
    ...base,
    engine,
    temporaryFolder,
    localFiles: new LocalFileCache({
      objects: base.objects,
      folder: temporaryFolder,
      bytesMax: LOCAL_FILE_CACHE_BYTES_MAX,
      newUuid: ambient.newUuid,
      writeLocalFile,
      removeLocalFile,
    }),
    conversionsAtOnce: config.engineProcesses,
    removeLocalFile,
  }
  const deps: ModulePlatform = {
    ...dumpDeps,
    metrics,
    writeLocalFile,
    commits: new CommitQueue((batch) => commitBatch(base, batch), { sleep: ambient.sleep }),
    dumpBudgetBytes: config.dumpBudgetBytes,
  }
  const modules = listModules(deps)
  for (const { meters = [] } of modules) metrics.register(meters)
  const housekeeping = setInterval(() => {
    forgetOldTransactions(base).catch((err) => log.warn({ err }, 'old transactions stay'))
    forgetOldLeases(base).catch((err) => log.warn({ err }, 'leases that ended stay'))
    forgetOldReplays(base).catch((err) => log.warn({ err }, 'answers to old requests stay'))
  }, FORGET_INTERVAL_MS)
  const server = createHttpServer(
    createApp({
      ...{ metrics, log, routes: routesOf(modules) },
      dialects: modules.flatMap(({ dialect = [] }) => dialect),
    }),
  )
  cutIdleSockets(server, IDLE_SOCKET_MS)
  server.requestTimeout = 0 // an upload may take long; a stalled one ends by the idle timeout
  const stopWatch = watchEventLoop((seconds) => metrics.eventLoopHeld(seconds))
  await listen(server, config)
  base.publisher.recover() // whoever asks already comes first
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    deps,
    async close() {
      clearInterval(housekeeping)
      stopWatch()
      const modulesClosed = Promise.all(modules.map((module) => module.close?.()))
      await stop(server)
      await modulesClosed
      await engine.close()
      await base.publisher.close()
      await base.catalog.close()
      await threads.close()
    },
  }
}

/** Registers every table again from the files of the warehouse; prints a line for each. */
async function rebuild(config: Config, log: Logger): Promise<void> {
  const { rebuildCatalog } = await import('./modules/operations/rebuild.ts')
  const threads = newThreads()
  const base = await openStores(config, { log, metrics: new Metrics(), threads })
  for await (const { outcome, table, location, detail } of rebuildCatalog(base)) {
    const told = detail === undefined ? '' : `: ${detail}`
    process.stdout.write(`${outcome}  ${table ?? ''}  ${location}${told}\n`)
  }
  await base.publisher.close()
  await base.catalog.close()
  await threads.close()
}

async function openCatalog({ catalog }: Config): Promise<Catalog> {
  if (catalog.kind === 'postgres') {
    // Not for those who start with SQLite: every module is a file to find, read and compile.
    const { openPostgresCatalog } = await import('./catalog/postgres/postgres.ts')
    return openPostgresCatalog({ url: catalog.url })
  }
  await mkdir(dirname(catalog.path), { recursive: true })
  return openSqliteCatalog({ path: catalog.path })
}

function openEngine(config: Config): Promise<Engine> {
  return openDuckDbEngine({
    processes: config.engineProcesses,
    memoryBytes: config.engineMemoryBytes,
    temporaryFolder: config.temporaryFolder,
    jobTimeoutMs: ENGINE_JOB_TIMEOUT_MS,
    queueMax: ENGINE_QUEUE_MAX,
  })
}

function listen(server: Server, { host, port }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS)
  await closed
  clearTimeout(grace)
}

async function main(): Promise<void> {
  const config = readConfig(process.env)
  const [, , command, ...others] = process.argv
  if (command === 'rebuild' && others.length === 0) {
    return rebuild(config, pino({ level: config.logLevel }, pino.destination(2)))
  }
  if (command !== undefined) throw new ConfigError(`unknown command ${command}: there is "rebuild"`)
  const log = pino({ level: config.logLevel })
  const service = await startService(config, log)
  log.info({ url: service.url, warehouse: config.warehouse }, `Moraine listens on ${service.url}`)
  const end = (signal: string) => {
    log.info({ signal }, 'stopping')
    service.close().then(
      () => process.exit(0),
      (err) => {
        log.error({ err }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error: unknown) => {
    const isForeseen =
      error instanceof ConfigError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    process.stderr.write(
      `moraine: ${isForeseen ? (error as Error).message : (error as Error).stack}\n`,
    )
    process.exitCode = 1
  })
}
