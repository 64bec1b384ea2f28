import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { startTestService, type TestService } from '../http/harness.ts'
import { makeTable, rows } from '../modules/dumps/http/dump-lab.ts'

/** A Python with polars, pandas and DuckDB; where there is none, the test is skipped by name. */
const PYTHON = process.env['TEST_FRAMES_PYTHON'] ?? 'python3'
const SCRIPT = new URL('read-by-name.py', import.meta.url).pathname
const IMPORTS = 'import polars, pandas, pyarrow, duckdb, duckdb_extension_httpfs'
const hasFrames = spawnSync(PYTHON, ['-c', IMPORTS], { stdio: 'ignore' }).status === 0
const testWithFrames = hasFrames ? test : test.skip

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

testWithFrames('polars, pandas and DuckDB read a table by the address of its name', async () => {
  const count = 50_000
  await makeTable(service, 'frames', [rows(count - 10), rows(10, count - 10)])
  const address = `${service.url}/v1/tables/frames/frames`
  const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, address])
  const expected = [count, (count * (count - 1)) / 2]
  const read = JSON.parse(stdout)
  expect(read).toEqual(Object.fromEntries(Object.keys(read).map((name) => [name, expected])))
  expect(Object.keys(read)).toHaveLength(10)
})
