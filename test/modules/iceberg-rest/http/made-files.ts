import type { DataFile, ManifestEntry } from '../../../../src/core/file/data-file.ts'
import type { Operation, Snapshot } from '../../../../src/core/table/snapshot.ts'
import type { TableState } from '../../../../src/core/table/table.ts'
import type { LakeServices } from '../../../../src/lake/lake.ts'
import { createManifest, writeSnapshotFiles } from '../../../../src/lake/snapshot/snapshot-files.ts'
import { writeSnapshot } from '../../../../src/lake/snapshot/snapshot-writer.ts'

/** Snapshots of files that do not exist: planning reads only their metadata. */

export function madeFile(path: string, more: Partial<DataFile> = {}): DataFile {
  return {
    content: 'data',
    path: `file:///nowhere/${path}`,
    format: 'parquet',
    specId: 0,
    partition: [],
    recordCount: 10,
    fileSizeBytes: 1000,
    ...more,
  }
}

/** Appends data files, or removes those of these paths. */
export async function commitFiles(
  deps: LakeServices,
  tableUuid: string,
  { added = [], removed = [] }: { added?: readonly DataFile[]; removed?: readonly string[] },
): Promise<Snapshot> {
  const state = await stateOf(deps, tableUuid)
  const prepared = await writeSnapshot(deps, state, {
    change: { added, removedPaths: new Set(removed), truncate: false },
    summary: {},
  })
  if (prepared === undefined) throw new Error('nothing was written')
  return commit(deps, state, prepared.snapshot)
}

/**
 * A snapshot of another writer: one more manifest with these entries, delete files unless said
 * otherwise.
 */
export async function commitManifest(
  deps: LakeServices,
  tableUuid: string,
  {
    files,
    content = 'deletes',
    operation = 'overwrite',
  }: {
    readonly files: readonly DataFile[]
    readonly content?: 'data' | 'deletes'
    readonly operation?: Operation
  },
): Promise<Snapshot> {
  const state = await stateOf(deps, tableUuid)
  const parent = state.currentSnapshot
  const numbers = {
    snapshotId: BigInt(1000 + state.version),
    sequenceNumber: state.lastSequenceNumber + 1n,
  }
  const unnumbered = { snapshotId: null, sequenceNumber: null, fileSequenceNumber: null }
  const definition = { ...state.definition, formatVersion: 3 as const }
  const hasVectors = files.some(({ format }) => format === 'puffin')
  const created = await createManifest(deps, hasVectors ? { ...state, definition } : state, {
    entries: files.map((dataFile): ManifestEntry => ({ status: 'added', ...unnumbered, dataFile })),
    like: { specId: 0, content },
    snapshot: numbers,
  })
  const kept = parent === undefined ? [] : await deps.manifests.getManifestList(parent.manifestList)
  const { snapshot } = await writeSnapshotFiles(deps, state, {
    snapshot: {
      ...numbers,
      parentSnapshotId: parent?.snapshotId ?? null,
      timestampMs: state.lastUpdatedMs + 1,
      operation,
      schemaId: state.definition.currentSchemaId,
      summary: {},
    },
    created: [created],
    list: [created.file, ...kept],
  })
  return commit(deps, state, snapshot)
}

async function stateOf({ catalog }: LakeServices, tableUuid: string): Promise<TableState> {
  const state = await catalog.tables.find({ tableUuid })
  if (state === undefined) throw new Error('the table is gone')
  return state
}

async function commit(
  { catalog }: LakeServices,
  state: TableState,
  snapshot: Snapshot,
): Promise<Snapshot> {
  const { outcome } = await catalog.tables.commit({
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
        addedPaths: [],
      },
    ],
    transactions: [],
  })
  if (outcome !== 'committed') throw new Error(`the commit ended with ${outcome}`)
  return snapshot
}
