import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { openDuckDbEngine } from '../../../src/engine/duckdb.ts'
import { LocalFileCache } from '../../../src/lake/convert/local-file-cache.ts'
import { Publisher } from '../../../src/lake/publish/publisher.ts'
import { ManifestCache } from '../../../src/lake/scan/manifest-cache.ts'
import { getTable } from '../../../src/lake/table/table-lookup.ts'
import { dumpTargetOf } from '../../../src/modules/dumps/dump-key.ts'
import { DumpProgress } from '../../../src/modules/dumps/dump-progress.ts'
import { Dumps } from '../../../src/modules/dumps/dumps.ts'
import { writeLocalFile } from '../../../src/objects/local/local-file.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { CountingMeter } from '../../lake/workshop.ts'

/** Run as a child, to be killed: makes the dump of a table in the home `argv[2]`, at the time `argv[3]`. */
const [home = '', nowText = '', table = '', format = ''] = process.argv.slice(2)

const ambient = {
  nowMs: () => Number(nowText),
  newUuid: () => randomUUID(),
  sleep: (ms: number) => sleep(ms),
  random: () => 0.5,
}
const meter = new CountingMeter()
const log = { warn: () => undefined }
const warehouse = `file://${home}/warehouse`
const catalog = await openSqliteCatalog({ path: `${home}/catalog.db` })
const roots = { writableRoots: [warehouse], readableRoots: [`file://${home}/lake`] }
const objects = await openLocalStore(roots)
const temporaryFolder = `${home}/tmp`
const engine = await openDuckDbEngine({
  ...{ processes: 1, memoryBytes: 512 * 1024 * 1024, temporaryFolder },
  ...{ jobTimeoutMs: 60_000, queueMax: 100 },
})
const dumps = new Dumps(
  {
    ...{ catalog, objects, ambient, meter, log, warehouse, engine, temporaryFolder },
    manifests: new ManifestCache({ objects, bytesMax: 64 * 1024 * 1024, meter }),
    publisher: new Publisher({ catalog, objects, ambient, meter, log }),
    localFiles: new LocalFileCache({
      ...{ objects, folder: temporaryFolder, bytesMax: 2 ** 30, newUuid: ambient.newUuid },
      ...{ writeLocalFile, removeLocalFile: (path) => rm(path, { force: true }) },
    }),
    conversionsAtOnce: 1,
    removeLocalFile: (path) => rm(path, { force: true }),
  },
  { keepNewest: 3 },
)
const state = await getTable(catalog, table)
if (state.currentSnapshot === undefined) throw new Error(`${table} has no snapshot`)
const choice = { format: format as 'csv', compression: 'none' } as const
const opened = await dumps.open(dumpTargetOf(state, state.currentSnapshot, choice))
if (opened instanceof DumpProgress) await opened.done
