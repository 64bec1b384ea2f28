import { cp, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { createTable } from '../../src/modules/tables/tables.ts'
import { openPlatform } from '../../src/service.ts'
import { buildService, endServices, KillableService, runToEnd } from '../crash/killable-service.ts'
import { commitFiles } from '../lake/trusted-caller.ts'
import { writeParquet } from '../parquet-files.ts'

let base: string
let home: string
let service: KillableService | undefined
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-moved-')))
  home = join(base, 'old')
  await makeHome(home)
})
afterEach(async () => {
  await service?.kill()
  service = undefined
  await rm(base, { recursive: true, force: true })
})

/** With one table of three rows, whose file is in the warehouse. */
async function makeHome(folder: string): Promise<void> {
  const platform = await openPlatform(readConfig({ MORAINE_HOME: folder }))
  const { definition } = await createTable(platform, {
    name: 'a',
    columns: [{ name: 'n', type: 'long' }],
  })
  const path = `${definition.location.slice('file://'.length)}/data/1.parquet`
  await writeParquet(path, 'SELECT range::BIGINT AS n FROM range(3)')
  await commitFiles(platform, { table: 'a', paths: [path] })
  await platform.close()
}

async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  return names.filter((name) => name.includes('.parquet') || name.includes('metadata.json')).sort()
}

/** The one line of a start, or of another command, that an operator can put right. */
async function refusal(words: readonly string[], environment: Record<string, string>) {
  const { code, stdout, stderr } = await runToEnd(words, environment)
  expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({
    code: 1,
    stdout: '',
    lines: 2,
  })
  return stderr.trim()
}

test('a moved home is told in one line, and served as it says', async () => {
  const moved = join(base, 'new')
  await rename(home, moved)
  const relocated = `file://${home}/warehouse=file://${moved}/warehouse`
  const line =
    `moraine: MORAINE_HOME=${moved} cannot be used: its warehouse was moved here from ` +
    `file://${home}/warehouse, so the paths in its tables lead nowhere; move it back, or set ` +
    `MORAINE_RELOCATED=${relocated}`
  for (const words of [[], ['rebuild']]) {
    expect(await refusal(words, { MORAINE_HOME: moved })).toBe(line)
  }

  const environment = { MORAINE_HOME: moved, MORAINE_RELOCATED: relocated }
  service = await KillableService.start(environment)
  const dump = await fetch(`${service.url}/v1/tables/a/dump?format=csv`)
  expect(await dump.text()).toBe('n\n0\n1\n2\n')
  const reply = await fetch(`${service.url}/v1/tables/a`)
  const table = (await reply.json()) as { location: string }
  const path = `${table.location}/data/1.parquet`
  expect(path.startsWith(`file://${home}/warehouse/`)).toBe(true)
  const upload = await fetch(`${service.url}/v1/tables/a/files`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
    body: 'n\n7\n',
  })
  expect([upload.status, await upload.text()]).toEqual([201, expect.anything()])
  // One file has one name: the new one is refused, and told.
  const twice = await fetch(`${service.url}/v1/tables/a/files`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ files: [{ path: path.replace('/old/', '/new/') }] }),
  })
  expect(await twice.json()).toMatchObject({
    type: '/problems/location-not-allowed',
    served_as: path,
  })
  await service.kill('SIGTERM')
  service = undefined
  const again = await runToEnd(['rebuild'], environment)
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^already-there /) })
  await rm(join(moved, 'catalog.db'))
  const rebuilt = await runToEnd(['rebuild'], environment)
  expect(rebuilt).toMatchObject({ code: 0, stdout: expect.stringMatching(/^registered /) })
})

test('a warehouse that is not that of the catalog, and a catalog without its tables', async () => {
  const warehouse = join(home, 'warehouse')
  await rename(warehouse, join(base, 'away'))
  const environment = { MORAINE_HOME: home }
  for (const words of [[], ['rebuild']]) {
    expect(await refusal(words, environment)).toMatch(
      /the catalog has tables, and their warehouse is not in that folder; mount its disk/,
    )
  }
  await makeHome(join(base, 'other'))
  await rm(warehouse, { recursive: true, force: true })
  await cp(join(base, 'other', 'warehouse'), warehouse, { recursive: true })
  expect(await refusal([], environment)).toMatch(/moved here from file:.*other/)

  await rm(warehouse, { recursive: true })
  await rename(join(base, 'away'), warehouse)
  await rename(join(home, 'catalog.db'), join(base, 'lost.db'))
  expect(await refusal([], environment)).toMatch(
    /tables in its warehouse, and the catalog has none; .* rebuild"; .* serve --adopt-warehouse"$/,
  )
  const catalog = `sqlite:${join(base, 'other', 'catalog.db')}`
  const foreign = { ...environment, MORAINE_CATALOG: catalog }
  expect(await refusal([], foreign)).toMatch(/belongs to another catalog/)
  expect(await runToEnd(['rebuild'], environment)).toMatchObject({ code: 0 })
  service = await KillableService.start(environment)
  expect((await fetch(`${service.url}/v1/tables/a`)).status).toBe(200)
  await service.kill('SIGTERM')
  service = undefined
})

test('a home without tables needs no marker, and one of an older version gets one', async () => {
  const empty = join(base, 'empty')
  await (await openPlatform(readConfig({ MORAINE_HOME: empty }))).close()
  await rm(join(empty, 'warehouse'), { recursive: true })
  await (await openPlatform(readConfig({ MORAINE_HOME: empty }))).close()
  await mkdir(join(base, 'moved'))
  await rename(join(empty, 'warehouse'), join(base, 'moved', 'warehouse'))
  // Nothing but a marker: whoever deleted the catalog begins again.
  await rm(join(home, 'catalog.db'))
  await rm(join(home, 'warehouse'), { recursive: true })
  await (await openPlatform(readConfig({ MORAINE_HOME: home }))).close()
  await rm(join(home, 'catalog.db'))
  await (await openPlatform(readConfig({ MORAINE_HOME: home }))).close()
})

test('whoever says so begins with an empty catalog beside tables of others', async () => {
  const environment = { MORAINE_HOME: home }
  await rename(join(home, 'catalog.db'), join(base, 'lost.db'))
  const before = await filesBelow(join(home, 'warehouse'))
  await refusal(['serve'], environment)
  service = await KillableService.start(environment, ['serve', '--adopt-warehouse'])
  const reply = await fetch(`${service.url}/v1/tables`)
  expect(await reply.json()).toMatchObject({ tables: [] })
  await service.kill('SIGTERM')
  // From then on it is this catalog's warehouse: no word is needed, and no other one gets it.
  service = await KillableService.start(environment)
  await service.kill('SIGTERM')
  service = undefined
  expect(await filesBelow(join(home, 'warehouse'))).toEqual(before)
  await makeHome(join(base, 'other'))
  const foreign = {
    MORAINE_HOME: join(base, 'other'),
    MORAINE_WAREHOUSE: `file://${join(home, 'warehouse')}`,
  }
  for (const words of [[], ['serve', '--adopt-warehouse']]) {
    expect(await refusal(words, foreign)).toMatch(/belongs to another catalog/)
  }
  // What it left can still be brought back.
  const rebuilt = await runToEnd(['rebuild'], environment)
  expect(rebuilt).toMatchObject({ code: 0, stdout: expect.stringMatching(/^registered /m) })
})
