import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { type DumpPiece, serialiseDumpIndex } from '../../../src/modules/dumps/format/dump-index.ts'
import { MadeShards } from '../../../src/modules/dumps/made-shards.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { dataFileOf } from '../../catalog/catalog-samples.ts'

let home: string
let objects: Awaited<ReturnType<typeof openLocalStore>>
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-shards-'))
  objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

const SHA = 'ab'.repeat(32)
const DELETES: DataFile = { ...dataFileOf('file:///d/p.parquet'), content: 'position-deletes' }
const SOURCE = {
  ...{ dataFile: dataFileOf('file:///d/a.parquet'), sequenceNumber: 1n },
  ...{ deleteFiles: [DELETES], isFiltered: false },
}

/** The shards of a dump of these pieces, of which each is there with its bytes. */
async function madeBy(pieces: readonly DumpPiece[]): Promise<MadeShards> {
  const folder = `file://${home}/dumps`
  const locations = new Set(pieces.map(({ location }) => location))
  for (const location of locations) await objects.putIfAbsent(location, new Uint8Array(100))
  const index = serialiseDumpIndex({
    ...{ tableUuid: 'f79c3e09-677c-4bbd-a479-3f349cb785e7', snapshotId: 7n },
    ...{ format: 'parquet', compression: 'none', mediaType: 'application/x' },
    ...{ fileName: 'a.parquet', createdAtMs: 0, pieces, sources: [], sha256: SHA },
    lengthBytes: pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
    rowCount: pieces.reduce((sum, { rowCount }) => sum + rowCount, 0),
  })
  await objects.putIfAbsent(`${folder}/7/index.json`, new TextEncoder().encode(index))
  const log = { warn: () => undefined } as never
  return await MadeShards.load({ objects, log }, folder)
}

test('the rows of a shard are counted once, whatever a dump lists twice', async () => {
  const shardLocation = `file://${home}/dumps/shards/a.parquet`
  const [first, second] = [
    { location: shardLocation, offset: 4, lengthBytes: 40, rowCount: 3 },
    { location: shardLocation, offset: 50, lengthBytes: 30, rowCount: 0 },
  ]
  const made = await madeBy([first, second, first, second])
  expect(made.bases).toHaveLength(1)
  expect(made.find({ ...SOURCE, shardLocation })).toEqual({
    ...{ location: shardLocation, offset: 0, lengthBytes: 100, rowCount: 3 },
  })
})
