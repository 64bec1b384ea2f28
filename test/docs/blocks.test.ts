import { execFile, spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { splitFlights } from '../../scripts/demo-flights.ts'
import { must } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { type KeyedService, startKeyedService } from '../modules/access/keyed-service.ts'
import { type Block, blocksOf, keyOf, listPages, NOT_RUN, RUN, SHOWN } from './pages.ts'

/** Where one is missing, the Python blocks that need it are skipped by name. */
const PYTHONS = {
  pyiceberg: process.env['TEST_PYTHON'] ?? 'python3',
  frames: process.env['TEST_FRAMES_PYTHON'] ?? 'python3',
}
const imports = (python: string, names: string) =>
  spawnSync(python, ['-c', `import ${names}`], { stdio: 'ignore' }).status === 0
const hasPythons =
  imports(PYTHONS.pyiceberg, 'pyiceberg, pyarrow') &&
  imports(PYTHONS.frames, 'polars, pandas, duckdb, duckdb_extension_httpfs')
const ADDRESS = 'http://127.0.0.1:8181'
/** Its blocks are for a service that asks for keys. */
const KEYED_PAGE = 'docs/access.md'

let service: TestService
let keyed: KeyedService
let folder: string
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'moraine-docs-')))
  await splitFlights(join(folder, '.demo/flights'))
  service = await startTestService({ allowedLocations: [join(folder, '.demo/flights')] })
  keyed = await startKeyedService()
  const columns = [
    { name: 'origin', type: 'string' },
    { name: 'delay', type: 'int' },
  ]
  const table = { name: 'aviation.flights', schema: { columns } }
  await must(keyed.admin.send('post', '/v1/tables', table), 201)
})
afterAll(async () => {
  await service.close()
  await keyed.close()
  await rm(folder, { recursive: true, force: true })
})

const blocks = listPages().flatMap(blocksOf)
const isRun = (block: Block) => RUN.includes(block.language) && NOT_RUN[keyOf(block)] === undefined

test('every block says by its language whether it is run or only shown', () => {
  const unknown = blocks.filter(({ language }) => ![...SHOWN, ...RUN].includes(language))
  expect(unknown.map(({ page, line, language }) => `${page}:${line} ${language}`)).toEqual([])
})

test('what cannot be run is there, and has a reason', () => {
  expect(Object.keys(NOT_RUN).sort()).toEqual(
    blocks
      .map(keyOf)
      .filter((key) => NOT_RUN[key] !== undefined)
      .sort(),
  )
})

/** One script for a page, whose blocks see the variables and folders of those before. */
function scriptOf(page: readonly Block[], url: string): string {
  const parts = page.map(({ page: name, line, language, text }) => {
    const said = `echo '# ${name}:${line}' >&2`
    return language === 'python' ? `${said}\n${runPython(text)}` : `${said}\n${text}`
  })
  return ['set -euo pipefail', ...parts].join('\n').replaceAll(ADDRESS, url)
}

function runPython(text: string): string {
  const python = text.includes('pyiceberg') ? PYTHONS.pyiceberg : PYTHONS.frames
  return `'${python}' - <<'THE_BLOCK'\n${text}\nTHE_BLOCK`
}

/** DuckDB loads `httpfs` by itself from there; elsewhere it gets it from its own site. */
async function placeExtension(home: string): Promise<void> {
  const { stdout } = await promisify(execFile)(PYTHONS.frames, [
    '-c',
    'import duckdb_extension_httpfs as e; print(e.__path__[0] + "/extensions")',
  ])
  const platform = 'import duckdb; print(duckdb.sql("PRAGMA platform").fetchone()[0])'
  const found = await promisify(execFile)(PYTHONS.frames, ['-c', platform])
  const from = join(stdout.trim(), 'v1.5.5/httpfs.duckdb_extension')
  const to = join(home, '.duckdb/extensions/v1.5.5', found.stdout.trim())
  await mkdir(to, { recursive: true })
  await cp(from, join(to, 'httpfs.duckdb_extension'))
}

async function runPages(isWanted: (block: Block) => boolean): Promise<void> {
  for (const page of listPages()) {
    const wanted = blocksOf(page).filter((block) => isRun(block) && isWanted(block))
    if (wanted.length === 0) continue
    const { url } = page === KEYED_PAGE ? keyed : service
    const environment = { ...process.env, HOME: folder, MORAINE: url, KEY: keyed.admin.key }
    await promisify(execFile)('bash', ['-c', scriptOf(wanted, url)], {
      cwd: folder,
      env: environment,
      maxBuffer: 256 * 1024 * 1024,
    })
  }
}

const testWith = hasPythons ? test : test.skip
const testWithout = hasPythons ? test.skip : test

testWithout('every shell block runs, in the order of its page', async () => {
  await runPages(({ language }) => language === 'sh')
})

testWith('every block in shell and Python runs, in the order of its page', async () => {
  await placeExtension(folder)
  await runPages(() => true)
})
