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

const OTHER_ROWS = `SELECT * FROM (VALUES
  (1::BIGINT, 12.50::DECIMAL(9,2), TIMESTAMP '2024-02-29 12:34:56.789012',
    TIMESTAMPTZ '2024-02-29 12:34:56+00', 'Io'::BLOB, {'x': 1, 'y': 'a,"b"'}, ['p', NULL, 'q']),
  (2::BIGINT, NULL, NULL, NULL, NULL, NULL, NULL),
  (3::BIGINT, -0.05::DECIMAL(9,2), TIMESTAMP '1610-01-08 00:00:00',
    TIMESTAMPTZ '1970-01-01 00:00:00+00', '\\xFF\\x00'::BLOB, {'x': NULL, 'y': 'Ünü'}, []))
  AS t("id", "price", "at", "seen", "raw", "both", "names")`

const TIMES = [
  ['2024-02-29 12:34:56.789012', '2024-02-29 12:34:56+00:00'],
  ['1610-01-08 00:00:00', '1970-01-01 00:00:00+00:00'],
] as const
const NULLS = ['2', null, null, null, null, null, null]
const EXPECTED_OTHERS = {
  frictionless: [
    ['1', '12.50', ...TIMES[0], 'SW8=', `{'x': 1, 'y': 'a,"b"'}`, "['p', None, 'q']"],
    NULLS,
    ['3', '-0.05', ...TIMES[1], '/wA=', "{'x': None, 'y': 'Ünü'}", '[]'],
  ],
  // A decimal is a float to it, and what is nested the text that CSV has.
  mlcroissant: [
    ['1', '12.5', ...TIMES[0], 'SW8=', String.raw`{"x":1,"y":"a,\"b\""}`, '["p",null,"q"]'],
    NULLS,
    ['3', '-0.05', ...TIMES[1], '/wA=', '{"x":null,"y":"Ünü"}', '[]'],
  ],
}

/** What the readers print of the documents at an address. */
async function readBy(path: string): Promise<unknown> {
  const environment = { env: { ...process.env, HOME: home } }
  const args = [SCRIPT, service.url + path]
  const { stdout } = await promisify(execFile)(PYTHON, args, environment)
  return JSON.parse(stdout)
}

testWithReaders(
  'mlcroissant and frictionless validate the documents, and read the rows by our links',
  async () => {
    const [snapshotId] = await makeTable(service, 'moons', [ROWS])
    const creators = [{ name: 'Galileo', id: 'https://orcid.org/0000-0002-1825-0097' }]
    const wish = { name: 'moons', source: { table: 'moons' }, creators, license: 'CC0-1.0' }
    const { url } = await must(post(service, '/v1/datasets', wish), 201)
    for (const path of [url, `/v1/tables/moons/${snapshotId}`]) {
      expect(await readBy(path)).toEqual(EXPECTED)
    }
  },
  120_000,
)

testWithReaders(
  'they read datasets of a query and of SQL, with columns of the other types',
  async () => {
    await makeTable(service, 'prices', [OTHER_ROWS])
    const wishes = [
      { name: 'asked', query: { source: { table: 'prices' }, filter: 'id >= 1' } },
      { name: 'told', sql: 'SELECT * FROM prices ORDER BY id' },
    ]
    for (const wish of wishes) {
      const { url } = await must(post(service, '/v1/datasets', wish), 201)
      expect(await readBy(url)).toEqual(EXPECTED_OTHERS)
    }
  },
  120_000,
)
