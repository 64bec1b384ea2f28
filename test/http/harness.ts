import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { readConfig } from '../../src/config.ts'
import type { Ambient } from '../../src/core/ambient.ts'
import type { ServerOptions } from '../../src/http/serve/server.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { type RunningService, startService } from '../../src/service.ts'
import { catalogSettings } from '../catalog/test-catalog.ts'
import { storeSettings } from '../objects/stores/test-store.ts'

const SHARED = resolve(fileURLToPath(import.meta.url), '../../../../shared/data')

/** Real files beside the repository. */
export function sharedFile(name: string): string {
  return join(SHARED, name)
}

/** `test`, or `test.skip` where those files are not there. */
export const testWithShared = existsSync(SHARED) ? test : test.skip
export const SHARED_FOLDER = SHARED

export interface TestService {
  readonly url: string
  /** Holds the catalog and the warehouse; deleted by `close`. */
  readonly home: string
  /** A folder from which files may be registered. */
  readonly dataFolder: string
  readonly deps: RunningService['deps']
  /** Lines of the log so far. */
  readonly log: readonly Record<string, unknown>[]
  /** Stops the service as a signal would, and keeps the files. */
  stop(): Promise<void>
  close(): Promise<void>
}

/** The whole service on a port and in a folder of its own. */
export async function startTestService(
  options: {
    readonly allowedLocations?: readonly string[]
    readonly home?: string
    readonly environment?: Readonly<Record<string, string>>
    readonly ambient?: Partial<Ambient>
    readonly wrapCatalog?: (catalog: Catalog) => Catalog
    readonly wrapObjects?: (objects: ObjectStore) => ObjectStore
    /** How long clients may take. */
    readonly patience?: Pick<ServerOptions, 'uploadPace' | 'readerPace' | 'idleMs'>
  } = {},
): Promise<TestService> {
  const home = options.home ?? (await realpath(await mkdtemp(join(tmpdir(), 'moraine-http-'))))
  const dataFolder = join(home, 'data')
  await mkdir(dataFolder, { recursive: true })
  const config = readConfig({
    MORAINE_HOME: home,
    MORAINE_PORT: '0',
    MORAINE_ALLOWED_LOCATIONS: [dataFolder, ...(options.allowedLocations ?? [])].join(','),
    ...(await storeSettings(home)),
    ...(await catalogSettings(home)),
    ...options.environment,
  })
  const log: Record<string, unknown>[] = []
  const service = await startService(config, memoryLog(log), {
    app: { isPermissionEnforced: true, ...options.patience },
    ...(options.ambient !== undefined && { ambient: options.ambient }),
    ...(options.wrapCatalog !== undefined && { wrapCatalog: options.wrapCatalog }),
    ...(options.wrapObjects !== undefined && { wrapObjects: options.wrapObjects }),
  })
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= service.close()
    return stopping
  }
  return {
    url: service.url,
    home,
    dataFolder,
    deps: service.deps,
    log,
    stop,
    async close() {
      await stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

function memoryLog(lines: Record<string, unknown>[]) {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  return pino({ level: 'debug' }, stream)
}
