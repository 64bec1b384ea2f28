import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { must, post } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { makeTable } from '../modules/dumps/http/dump-lab.ts'

/** A Python with the packages of interop/documents; else the test is skipped by name. */
const PYTHON = process.env['TEST_DOCUMENTS_PYTHON'] ?? 'python3'
const SCRIPT = new URL('read-documents.py', import.meta.url).pathname
const IMPORTS = 'import mlcroissant, frictionless, datacite, rocrate, rocrate_validator'
const hasReaders = spawnSync(PYTHON, ['-c', IMPORTS], { stdio: 'ignore' }).status === 0
const testWithReaders = hasReaders ? test : test.skip

let service: TestService
let home: string
beforeAll(async () => {
  service = await startTestService()
  // Where mlcroissant keeps what it has downloaded.
  home = await mkdtemp(join(tmpdir(), 'moraine-documents-'))
})
afterAll(async () => {
  await service.close()
  await rm(home, { recursive: true, force: true })
})

const ROWS = `SELECT * FROM (VALUES
  (1::BIGINT, 'Io', 1.5::DOUBLE, DATE '1610-01-08', true, [1, 2]),
  (2::BIGINT, 'a,"b"', NULL, NULL, NULL, NULL),
  (3::BIGINT, 'Ünü', -0.25::DOUBLE, DATE '1655-03-25', false, []))
  AS t("id", "its name", "mass", "seen", "bright", "sizes")`
const EXPECTED = {
  frictionless: [
    ['1', 'Io', '1.5', '1610-01-08', 'True', '[1, 2]'],
    ['2', 'a,"b"', null, null, null, null],
    ['3', 'Ünü', '-0.25', '1655-03-25', 'False', '[]'],
  ],
  mlcroissant: [
    ['1', 'Io', '1.5', '1610-01-08 00:00:00', 'True', '[1,2]'],
    ['2', 'a,"b"', null, null, null, null],
    ['3', 'Ünü', '-0.25', '1655-03-25 00:00:00', 'False', '[]'],
  ],
}

testWithReaders(
  'mlcroissant and frictionless validate the documents, and read the rows by our links',
  async () => {
    const [snapshotId] = await makeTable(service, 'moons', [ROWS])
    const creators = [{ name: 'Galileo', id: 'https://orcid.org/0000-0002-1825-0097' }]
    const wish = { name: 'moons', source: { table: 'moons' }, creators, license: 'CC0-1.0' }
    const { url } = await must(post(service, '/v1/datasets', wish), 201)
    for (const path of [url, `/v1/tables/moons/${snapshotId}`]) {
      const environment = { env: { ...process.env, HOME: home } }
      const args = [SCRIPT, service.url + path]
      const { stdout } = await promisify(execFile)(PYTHON, args, environment)
      expect(JSON.parse(stdout)).toEqual(EXPECTED)
    }
  },
  120_000,
)
