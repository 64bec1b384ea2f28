import { join } from 'node:path'
import { openSqliteCatalog } from '../src/catalog/sqlite/sqlite.ts'
import type { DataFile } from '../src/core/file/data-file.ts'
import type { Dependencies } from '../src/lake/lake.ts'
import { Publisher } from '../src/lake/publish/publisher.ts'
import { ManifestCache } from '../src/lake/scan/manifest-cache.ts'
import { writeSnapshot } from '../src/lake/snapshot/snapshot-writer.ts'
import { openLocalStore } from '../src/objects/local/local-store.ts'

/** One snapshot that adds these data files, which need not exist: nothing but metadata is read of them. */
export async function fillFiles(
  home: string,
  { tableUuid, added }: { readonly tableUuid: string; readonly added: readonly DataFile[] },
): Promise<void> {
  await withDependencies(home, async (deps) => {
    const state = await deps.catalog.tables.find({ tableUuid })
    if (state === undefined) throw new Error('the table is gone')
    const prepared = await writeSnapshot(deps, state, {
      change: { added, removedPaths: new Set(), truncate: false },
      summary: {},
    })
    if (prepared === undefined) throw new Error('nothing was written')
    const { snapshot } = prepared
    await deps.catalog.tables.commit({
      tables: [
        {
          expectedVersion: state.version,
          state: {
            ...state,
            version: state.version + 1,
            lastSequenceNumber: snapshot.sequenceNumber,
            lastUpdatedMs: snapshot.timestampMs,
            currentSnapshot: snapshot,
          },
          newSnapshots: [snapshot],
          newLogEntries: [snapshot],
          addedPaths: prepared.addedPaths,
        },
      ],
      transactions: [],
    })
  })
}

/** The stores of a service that is not running, in its home. */
export async function withDependencies(
  home: string,
  work: (deps: Dependencies) => Promise<void>,
): Promise<void> {
  const catalog = await openSqliteCatalog({ path: join(home, 'catalog.db') })
  const warehouse = `file://${home}/warehouse`
  const objects = await openLocalStore({
    writableRoots: [warehouse],
    readableRoots: [`file://${home}/lake`],
  })
  const meter = new Proxy({}, { get: () => () => undefined }) as Dependencies['meter']
  const log = { warn: () => undefined }
  const ambient = {
    nowMs: () => Date.now(),
    newUuid: () => crypto.randomUUID(),
    sleep: async () => undefined,
    random: () => 0,
  }
  const publisher = new Publisher({ catalog, objects, ambient, meter, log })
  const manifests = new ManifestCache({ objects, bytesMax: 2 ** 28, meter })
  await work({ catalog, objects, ambient, manifests, publisher, meter, log, warehouse })
  await catalog.close()
}
