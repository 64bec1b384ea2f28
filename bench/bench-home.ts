import { readConfig } from '../src/config.ts'
import type { DataFile } from '../src/core/file/data-file.ts'
import { writeSnapshot } from '../src/lake/snapshot/snapshot-writer.ts'
import { openPlatform, type Platform } from '../src/service.ts'

interface Filling {
  readonly tableUuid: string
  readonly added: readonly DataFile[]
  /** Settings of the service but its home; folders only when there are none. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Adds a snapshot of these data files. They need not exist: only their metadata is read. */
export async function fillFiles(
  home: string,
  { tableUuid, added, environment }: Filling,
): Promise<void> {
  const fill = async (deps: Platform) => {
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
  }
  await withPlatform(home, fill, environment)
}

/** The platform of a stopped service, in that service's home. */
export async function withPlatform(
  home: string,
  work: (platform: Platform) => Promise<void>,
  environment: Readonly<Record<string, string>> = { MORAINE_ALLOWED_LOCATIONS: `${home}/lake` },
): Promise<void> {
  const config = readConfig({ MORAINE_HOME: home, ...environment })
  const platform = await openPlatform(config, { inThreads: false })
  try {
    await work(platform)
  } finally {
    await platform.close()
  }
}
