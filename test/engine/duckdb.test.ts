import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'
import { describeAnyNames } from './any-names.contract.ts'
import { describeArrow } from './arrow.contract.ts'
import { describeDeletes } from './deletes.contract.ts'
import { describeJobs } from './engine.contract.ts'
import type { OpenedEngine } from './engine-samples.ts'
import { describeExport } from './export.contract.ts'
import { describeFinishedFiles } from './finished-files.contract.ts'
import { describeIngest } from './ingest.contract.ts'
import { describeNanoseconds } from './nanoseconds.contract.ts'
import { describeQuery } from './query.contract.ts'
import { describeResultText } from './result-text.contract.ts'
import { describeRowIds } from './row-ids.contract.ts'
import { describeSplit } from './split.contract.ts'
import { describeZeros } from './zeros.contract.ts'

async function open(): Promise<OpenedEngine> {
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'moraine-engine-work-'))
  const engine = await openDuckDbEngine({
    processes: 2,
    memoryBytes: 256_000_000,
    temporaryFolder,
    jobTimeoutMs: 60_000,
    queueMax: 200,
  })
  return {
    engine,
    temporaryFolder,
    close: async () => {
      await engine.close()
      await rm(temporaryFolder, { recursive: true })
    },
  }
}

// Children start slowly where all processors are busy.
jest.setTimeout(60_000)

describeJobs('DuckDB', open)
describeExport('DuckDB', open)
describeArrow('DuckDB', open)
describeAnyNames('DuckDB', open)
describeFinishedFiles('DuckDB', open)
describeNanoseconds('DuckDB', open)
describeDeletes('DuckDB', open)
describeRowIds('DuckDB', open)
describeIngest('DuckDB', open)
describeSplit('DuckDB', open)
describeQuery('DuckDB', open)
describeResultText('DuckDB', open)
describeZeros('DuckDB', open)
