/** Run by duckdb-supervision.test.ts: starts a job that takes long, says so, and is killed. */
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'

const [temporaryFolder = '', path = '', targetPath = ''] = process.argv.slice(2)
const engine = await openDuckDbEngine({
  processes: 1,
  memoryBytes: 256_000_000,
  temporaryFolder,
  jobTimeoutMs: 60_000,
  queueMax: 1,
})
const job = engine.export({
  source: { path, columns: [{ fieldId: 1, nameInFile: 's' }] },
  schema: {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [{ id: 1, name: 's', required: false, type: { kind: 'string' } }],
  },
  target: { path: targetPath, format: 'ndjson', compression: 'none' },
})
process.stdout.write('started')
await job
