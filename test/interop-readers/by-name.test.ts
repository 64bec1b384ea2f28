import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startTestService, type TestService } from '../http/harness.ts'
import { download, makeTable, rows } from '../modules/dumps/http/dump-lab.ts'
import { openBucketServer } from '../objects/stores/bucket-server.ts'
import { openFaultyFront } from '../objects/stores/faulty-front.ts'
import { whyNoStore } from '../objects/stores/store-program.ts'

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

const whyNoLinks = whyNoStore('versitygw')
const testWithLinks = hasFrames && whyNoLinks === undefined ? test : test.skip

testWithLinks(
  'and by the links to a bucket that it leads to',
  async () => {
    const server = await openBucketServer('versitygw')
    const home = await mkdtemp(join(tmpdir(), 'moraine-frames-'))
    const settings = server.settingsFor(home)
    const front = await openFaultyFront(settings['MORAINE_S3_ENDPOINT'] ?? '')
    const environment = { ...settings, MORAINE_S3_ENDPOINT: front.endpoint }
    const linked = await startTestService({ home, environment })
    try {
      const count = 50_000
      await makeTable(linked, 'frames', [rows(count - 10), rows(10, count - 10)])
      const address = `${linked.url}/v1/tables/frames/frames`
      const formats = ['parquet', 'csv', 'ndjson', 'arrow']
      for (const format of formats) {
        const { headers } = await download(`${address}.${format}?redirect=always`)
        expect((await download(linked.url + headers.location)).status).toBe(302)
      }
      front.seen.length = 0
      const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, address])
      const expected = [count, (count * (count - 1)) / 2]
      const read = JSON.parse(stdout)
      expect(read).toEqual(Object.fromEntries(Object.keys(read).map((name) => [name, expected])))
      const byLink = front.seen.filter(({ path }) => path.includes('X-Amz-Signature'))
      expect(byLink.length).toBeGreaterThanOrEqual(10)
    } finally {
      await linked.close()
      await front.close()
      await server.stop()
    }
  },
  60_000,
)
