import { readFileSync } from 'node:fs'
import { describeUnlisted } from '../../../src/formats/manifest/unlisted-manifest.ts'

const FOLDER = new URL('../files/', import.meta.url)
const at = { path: 'file:///x/m.avro', snapshotId: 7n }
const noTurn = () => undefined

test('a manifest of PyIceberg of format version 1 is described as a list would', async () => {
  const bytes = readFileSync(new URL('pyiceberg-v1-deflate.avro', FOLDER))
  const text = readFileSync(new URL('pyiceberg-v1-deflate.json', FOLDER), 'utf8')
  const { found } = JSON.parse(text) as {
    found: { status: string; dataFile: { recordCount: number } }[]
  }
  const of = (status: string) => found.filter((entry) => entry.status === status)
  const rows = (status: string) =>
    of(status).reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0)
  const described = await describeUnlisted(bytes, at, noTurn)
  expect(described).toMatchObject({
    ...{ path: at.path, lengthBytes: bytes.length, specId: 5, content: 'data' },
    ...{ sequenceNumber: 0n, minSequenceNumber: 0n, addedSnapshotId: 4611686018427387907n },
    ...{ addedFilesCount: of('added').length, addedRowsCount: rows('added') },
    ...{ existingFilesCount: of('existing').length, existingRowsCount: rows('existing') },
    ...{ deletedFilesCount: of('deleted').length, deletedRowsCount: rows('deleted') },
  })
  expect(described.partitions?.length).toBeGreaterThan(0)
})

test('what is no manifest is refused', async () => {
  const list = readFileSync(new URL('pyiceberg-list-v1-deflate.avro', FOLDER))
  for (const bytes of [list, new Uint8Array(3)]) {
    await expect(describeUnlisted(bytes, at, noTurn)).rejects.toMatchObject({
      code: 'metadata-corrupt',
    })
  }
})
