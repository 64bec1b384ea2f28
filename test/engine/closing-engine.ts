import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'

/**
 * Run as a child: closes an engine that is idle, and says so. Nothing else keeps the process alive.
 */
const [path = ''] = process.argv.slice(2)
const engine = await openDuckDbEngine({
  ...{ processes: 1, memoryBytes: 512 * 1024 * 1024, temporaryFolder: join(tmpdir(), 'moraine') },
  ...{ jobTimeoutMs: 60_000, queueMax: 10 },
})
const column = { id: 1, name: 'n', required: false, type: { kind: 'long' } } as const
await engine.export({
  source: undefined,
  schema: { schemaId: 0, identifierFieldIds: [], fields: [column] },
  target: { path, format: 'csv', compression: 'none', header: true },
})
await engine.close()
process.stdout.write('closed\n')
