import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

/** A Python with pyiceberg[pyarrow]; where there is none, the tests are skipped by name. */
const PYTHON = process.env['TEST_PYTHON'] ?? 'python3'
const SCRIPT = new URL('read-table.py', import.meta.url).pathname

export const hasPyIceberg =
  spawnSync(PYTHON, ['-c', 'import pyiceberg, pyarrow'], { stdio: 'ignore' }).status === 0

/** Reads the table through its metadata file and writes the rows to a Parquet file. */
export async function readWithPyIceberg(read: {
  readonly metadataLocation: string
  /** The current snapshot when absent. */
  readonly snapshotId?: bigint
  readonly output: string
  readonly filter?: string
}): Promise<void> {
  const snapshot = read.snapshotId === undefined ? 'current' : String(read.snapshotId)
  await promisify(execFile)(PYTHON, [
    SCRIPT,
    read.metadataLocation,
    snapshot,
    read.output,
    read.filter ?? '',
  ])
}
