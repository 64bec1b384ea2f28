import type { PlannedFile } from '../../../src/lake/scan/plan-files.ts'
import {
  committedAgain,
  type DifferingFile,
  without,
} from '../../../src/modules/rows/committed-again.ts'

function planned(name: string, sequenceNumber: bigint): PlannedFile {
  const path = `file:///lake/${'deep/'.repeat(40)}${name}.parquet`
  const dataFile = { path, partition: [], specId: 0, recordCount: 1, fileSizeBytes: 1 }
  return { dataFile, deleteFiles: [], sequenceNumber } as unknown as PlannedFile
}

/** So many files that were removed, each of which was committed again. */
function replaced(count: number) {
  return async function* (): AsyncGenerator<DifferingFile> {
    for (let i = 0; i < count; i++) {
      yield { file: planned(`f${i}`, 1n), side: 'removed' }
      yield { file: planned(`f${i}`, 2n), side: 'added' }
    }
  }
}

test('files that were committed again are told apart by keys of a few bytes', async () => {
  const differing = replaced(1_000)
  const again = await committedAgain(differing, 1_000)
  expect([...new Set([...again.keys()].map(({ length }) => length))]).toEqual([22])
  expect([...again.values()]).toEqual(Array.from({ length: 1_000 }, () => 1))
  for await (const { file } of without(differing(), again)) throw new Error(file.dataFile.path)
})

test('of more than a hundred thousand nothing is kept, and each counts', async () => {
  const kept = async (files: number) => (await committedAgain(replaced(files), files)).size
  expect([await kept(100_000), await kept(100_001)]).toEqual([100_000, 0])
})
