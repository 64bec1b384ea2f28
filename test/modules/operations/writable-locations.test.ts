import {
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../../src/config.ts'
import { sweepPurged } from '../../../src/lake/deletion/sweep-purged.ts'
import { sweepUnfinished } from '../../../src/lake/deletion/sweep-unfinished.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { backUp } from '../../../src/modules/operations/backup.ts'
import { rebuildCatalog } from '../../../src/modules/operations/rebuild.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { openPlatform } from '../../../src/service.ts'
import { deleteCatalog } from '../../catalog/deleted-catalog.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'
import { must as mustRest, refused, rest } from '../iceberg-rest/http/rest-client.ts'

const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }
const MARKER = '.moraine-warehouse.json'

let base: string
let home: string
let lake: string
let service: TestService
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-writable-')))
  home = join(base, 'home')
  lake = join(base, 'lake')
  await mkdir(home)
  await mkdir(lake)
  service = await start()
})
afterEach(async () => {
  await service.close()
  await rm(base, { recursive: true, force: true })
})

function settings(more: Record<string, string> = {}) {
  return { MORAINE_WRITABLE_LOCATIONS: lake, ...more }
}

function start(more: Record<string, string> = {}): Promise<TestService> {
  return startTestService({ home, environment: settings(more) })
}

async function again(more: Record<string, string> = {}): Promise<void> {
  await service.stop()
  service = await start(more)
}

const create = (name: string, location: string) =>
  post(service, '/v1/tables', { name, schema: SCHEMA, location })

async function upload(table: string, n: number): Promise<void> {
  const headers = { 'Content-Type': 'text/csv' }
  const request = { method: 'POST', raw: `n\n${n}\n`, headers }
  await must(ask(service, `/v1/tables/${table}/files`, request), 201)
}

async function rowsOf(table: string): Promise<string> {
  const dump = `/v1/tables/${table}/dump?format=csv`
  return (await fetch(service.url + dump)).text()
}

/** A table of others, with one metadata file. */
async function foreignTable(name: string, file = 'v1.metadata.json'): Promise<string> {
  const location = join(lake, name)
  await mkdir(join(location, 'metadata'), { recursive: true })
  const metadata = {
    ...{ 'format-version': 2, 'table-uuid': '4f2c6b1e-0000-4000-8000-0000000000aa' },
    ...{ location, 'last-updated-ms': 1_700_000_000_000, 'last-sequence-number': 0 },
    ...{ 'last-column-id': 1, 'current-schema-id': 0 },
    schemas: [
      {
        ...{ type: 'struct', 'schema-id': 0 },
        fields: [{ id: 1, name: 'n', required: false, type: 'long' }],
      },
    ],
    ...{ 'default-spec-id': 0, 'partition-specs': [{ 'spec-id': 0, fields: [] }] },
    ...{ 'last-partition-id': 999, 'default-sort-order-id': 0 },
    'sort-orders': [{ 'order-id': 0, fields: [] }],
  }
  const path = join(location, 'metadata', file)
  await writeFile(path, JSON.stringify(metadata))
  return path
}

const register = (name: string, path: string) =>
  rest(service, '/namespaces/others/register', {
    json: { name, 'metadata-location': `file://${path}` },
  })

test('a table is created, written, read and purged outside of the warehouse', async () => {
  await writeFile(join(lake, 'notes.txt'), 'of somebody')
  const made = await must(create('a', join(lake, 'a')), 201)
  expect(made.location).toBe(`file://${join(lake, 'a')}`)
  await upload('a', 7)
  expect(await rowsOf('a')).toBe('n\n7\n')
  const [file] = (await must(ask(service, '/v1/tables/a'))).data_files
  expect(file.path).toContain(`file://${lake}/a/data/`)
  await writeFile(join(lake, 'a', 'data', 'nobody.parquet'), 'not named')
  await must(ask(service, '/v1/tables/a?purge=now', { method: 'DELETE' }))
  const left = (await readdir(lake, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('dropped-'))
    .map(({ name }) => name)
  expect(left.sort()).toEqual([MARKER, 'nobody.parquet', 'notes.txt'])
})

test('the rules of locations hold there as in the warehouse', async () => {
  await must(create('a', join(lake, 'x', 'a')), 201)
  for (const location of [join(lake, 'x'), join(lake, 'x', 'a'), join(lake, 'x', 'a', 'b')]) {
    const { status, body } = await create('b', location)
    expect([status, body.type]).toEqual([409, '/problems/location-taken'])
  }
  for (const location of [lake, join(lake, '.hidden', 't'), join(service.dataFolder, 't')]) {
    const { status, body } = await create('b', location)
    expect([status, body.type]).toEqual([403, '/problems/location-not-allowed'])
  }
  const { body } = await create('b', join(service.dataFolder, 't'))
  expect(body.detail).toMatch(/one of file:.*, file:.*lake.*MORAINE_WRITABLE_LOCATIONS can allow/)
  expect(await readdir(service.dataFolder)).toEqual([])
  // Two digits are a folder of default locations in the warehouse only.
  await must(create('c', join(lake, 'ab')), 201)
})

test('a table of others is registered where it lies, and comes back by a rebuild', async () => {
  await mustRest(rest(service, '/namespaces', { json: { namespace: ['others'] } }))
  await mustRest(register('adopted', await foreignTable('adopted')))
  const elsewhere = join(service.dataFolder, 'v1.metadata.json')
  await rename(await foreignTable('other'), elsewhere)
  expect((await refused(register('other', elsewhere)))[0]).toBe(409)
  await must(create('own', join(lake, 'own')), 201)
  await upload('own', 5)
  const lost = async () => {
    await service.stop()
    await deleteCatalog(home)
    const config = readConfig({ MORAINE_HOME: home, ...settings() })
    const platform = await openPlatform(config, { adoptsWarehouse: true })
    const told: string[] = []
    for await (const { table, outcome } of rebuildCatalog(platform)) {
      told.push(`${outcome} ${table}`)
    }
    await platform.close()
    service = await start()
    return told.sort()
  }
  const both = ['registered default.own', 'registered others.adopted']
  expect(await lost()).toEqual(both)
  await upload('others.adopted', 3)
  expect(await rowsOf('others.adopted')).toBe('n\n3\n')
  expect(await rowsOf('own')).toBe('n\n5\n')
  await service.deps.publisher.close()
  expect(await lost()).toEqual(both)
  expect(await rowsOf('others.adopted')).toBe('n\n3\n')
})

test('what is published of a registered table has a higher number than its file', async () => {
  await mustRest(rest(service, '/namespaces', { json: { namespace: ['others'] } }))
  const path = await foreignTable('high', '00150-x.metadata.json')
  await mustRest(register('high', path))
  await upload('others.high', 1)
  const metadata = await must(ask(service, '/v1/tables/others.high'))
  expect(metadata.identifier).toBe('others.high')
  const { 'metadata-location': location } = await mustRest(
    rest(service, '/namespaces/others/tables/high'),
  )
  expect(Number(/(\d+)-[^/]*$/.exec(location)?.[1])).toBeGreaterThan(150)
})

test('a sweep takes what is the service’s own there, and nothing of others', async () => {
  await must(create('gone', join(lake, 'gone')), 201)
  await must(ask(service, '/v1/tables/gone?purge=now', { method: 'DELETE' }))
  await mkdir(join(lake, 'of-others', 'empty'), { recursive: true })
  const temporary = join(lake, '.moraine-4f2c6b1e-0000-4000-8000-0000000000aa.tmp')
  await writeFile(temporary, 'half')
  const old = new Date(Date.now() - 3 * 86_400_000)
  const folders = ['gone/data', 'of-others/empty', 'of-others']
  for (const name of folders) await utimes(join(lake, name), old, old)
  await utimes(temporary, old, old)
  await sweepUnfinished(service.deps, new AbortController().signal)
  const left = await readdir(lake, { recursive: true })
  expect(left).toEqual(expect.arrayContaining(['of-others', 'of-others/empty']))
  expect(left).not.toContain('gone/data')
  expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test('while its disk is not mounted nothing is changed there, and others go on', async () => {
  await must(create('away', join(lake, 'away')), 201)
  await must(post(service, '/v1/tables', { name: 'here', schema: SCHEMA }), 201)
  await upload('away', 1)
  await rename(lake, `${lake}.away`)
  await mkdir(lake)
  const headers = { 'Content-Type': 'text/csv' }
  const refusals: Json[] = [
    await create('new', join(lake, 'new')),
    await post(service, '/v1/tables/away/metadata', { description: 'x' }),
    await ask(service, '/v1/tables/away', { method: 'DELETE' }),
    await ask(service, '/v1/tables/away/files', { method: 'POST', raw: 'n\n2\n', headers }),
  ]
  for (const { status, body } of refusals) {
    expect([status, body.type]).toEqual([503, '/problems/warehouse-unavailable'])
    expect(body.detail).toContain(`writable location file://${lake}`)
  }
  expect(await readdir(lake)).toEqual([])
  await upload('here', 1)
  await service.stop()
  await expect(start()).rejects.toThrow(/the catalog has tables in that folder.*mount its disk/)
  await rm(lake, { recursive: true })
  await rename(`${lake}.away`, lake)
  service = await start()
  await upload('away', 2)
  expect(await rowsOf('away')).toBe('n\n1\n2\n')
})

test('what is gone with its disk is neither given to others nor taken for deleted', async () => {
  const location = join(lake, 'dropped')
  await must(create('dropped', location), 201)
  await must(ask(service, '/v1/tables/dropped', { method: 'DELETE' }))
  await must(create('purged', join(lake, 'purged')), 201)
  await upload('purged', 1)
  await must(ask(service, '/v1/tables/purged?purge=true', { method: 'DELETE' }))
  const ambient = { ...service.deps.ambient, nowMs: () => Date.now() + 60 * 24 * 3_600_000 }
  const later = { ...service.deps, ambient }
  const { signal } = new AbortController()
  const listPurged = () =>
    service.deps.catalog.deletions.listPurged({ dueAtMs: Number.MAX_SAFE_INTEGER, limit: 9 })

  await rename(lake, `${lake}.away`)
  await mkdir(lake)
  const { status, body } = await create('new', location)
  expect([status, body.type]).toEqual([503, '/problems/warehouse-unavailable'])
  const { locations } = service.deps.catalog
  expect(await locations.findOverlapping(`file://${location}`, 9)).toHaveLength(1)
  expect((await unlinkDue(later)).deleted).toBe(0)
  await sweepPurged(later, signal)
  expect(await listPurged()).toHaveLength(1)

  await rm(lake, { recursive: true })
  await rename(`${lake}.away`, lake)
  expect((await create('new', location)).body.type).toBe('/problems/location-taken')
  const muchLater = { ...ambient, nowMs: () => ambient.nowMs() + 3_600_000 }
  expect((await unlinkDue({ ...later, ambient: muchLater })).deleted).toBeGreaterThan(0)
  expect(await readdir(join(lake, 'purged'), { recursive: true })).not.toContainEqual(
    expect.stringMatching(/parquet$/),
  )
  await sweepPurged({ ...later, ambient: muchLater }, signal)
  expect(await listPurged()).toHaveLength(0)
})

test('what is kept, and is to be deleted, is looked at once while its disk is away', async () => {
  await must(create('keeping', join(lake, 'keeping')), 201)
  const { transaction_id } = await must(post(service, '/v1/transactions/start', {}), 201)
  const headers = { 'Content-Type': 'text/csv' }
  const staged = `/v1/tables/keeping/files?transaction_id=${transaction_id}`
  await must(ask(service, staged, { method: 'POST', raw: 'n\n1\n', headers }), 201)
  await must(post(service, '/v1/transactions/abort', { transaction_id }))
  const updates = [{ action: 'set-properties', updates: { 'gc.enabled': 'false' } }]
  const json = { requirements: [], updates }
  await mustRest(rest(service, '/namespaces/default/tables/keeping', { json }))
  const nowMs = () => Date.now() + 60 * 24 * 3_600_000
  const later = { ...service.deps, ambient: { ...service.deps.ambient, nowMs } }
  const due = () => service.deps.catalog.deletions.listDue({ nowMs: nowMs(), limit: 9 })
  expect(await due()).toHaveLength(1)
  await rename(lake, `${lake}.away`)
  await mkdir(lake)
  expect(await unlinkDue(later)).toMatchObject({ deleted: 0 })
  expect(await due()).toHaveLength(0)
  await rm(lake, { recursive: true })
  await rename(`${lake}.away`, lake)
})

test('a folder that cannot be one is refused at the start, in one line', async () => {
  const file = join(base, 'file')
  await writeFile(file, '')
  await symlink(join(home, 'warehouse'), join(base, 'link'))
  const other = join(base, 'other')
  await mkdir(other)
  await writeFile(
    join(other, MARKER),
    JSON.stringify({ 'warehouse-id': 'x', location: `file://${other}` }),
  )
  const cases: [string, RegExp][] = [
    [join(base, 'none'), /no folder is there; mount its disk, or make it first$/],
    [file, /it is a file; give a folder$/],
    [base, /it is, has or is in .*; give a folder apart from the warehouse/],
    [join(base, 'link'), /it is, has or is in .*warehouse; give a folder apart/],
    [`${lake},${join(lake, 'a')}`, /none within another$/],
    [other, /belongs to the catalog of another warehouse; give another one; if that/],
  ]
  await service.stop()
  for (const [folders, told] of cases) {
    const starting = start({ MORAINE_WRITABLE_LOCATIONS: folders })
    await expect(starting).rejects.toThrow(told)
    await expect(starting).rejects.toThrow(/^MORAINE_WRITABLE_LOCATIONS=/)
  }
  expect(await readdir(base)).not.toContain('none')
})

test('tables of a folder that was moved are known by its old name', async () => {
  await must(create('moved', join(lake, 'moved')), 201)
  await upload('moved', 1)
  await service.stop()
  const fresh = join(base, 'fresh')
  await rename(lake, fresh)
  const environment = {
    MORAINE_WRITABLE_LOCATIONS: fresh,
    MORAINE_RELOCATED: `file://${lake}=file://${fresh}`,
  }
  service = await start(environment)
  await upload('moved', 2)
  expect(await rowsOf('moved')).toBe('n\n1\n2\n')
  const made = await must(create('next', join(lake, 'next')), 201)
  expect(made.location).toBe(`file://${lake}/next`)
  expect(await readdir(fresh)).toEqual(expect.arrayContaining(['moved', 'next']))
  await again(environment)
  expect(await rowsOf('moved')).toBe('n\n1\n2\n')
})

test('a backup lists the files there, of which it copies none', async () => {
  await must(create('a', join(lake, 'a')), 201)
  await upload('a', 1)
  await writeParquet(join(lake, 'a', 'data', 'own.parquet'), 'SELECT 2::BIGINT AS n')
  const files = [{ path: join(lake, 'a', 'data', 'own.parquet') }]
  await must(post(service, '/v1/tables/a/files', { files }))
  const folder = join(base, 'backup')
  const objects = await openLocalStore({ writableRoots: [folder], readableRoots: [] })
  const target = {
    ...{ objects, root: `file://${folder}` },
    copyCatalog: async () => undefined,
    openCopy: async () => undefined,
    nowMs: () => Date.now(),
  }
  const { signal } = new AbortController()
  const about = { version: '1', warehouseId: 'x' }
  const report = await backUp(service.deps, target, about, signal)
  const listed = await objects.read(`file://${folder}/registered-files.txt`, { bytesMax: 1e6 })
  const lines = new TextDecoder().decode(listed).trim().split('\n')
  expect(lines).toHaveLength(report.registeredFiles)
  expect(lines).toContain(`file://${lake}/a/data/own.parquet`)
  expect(lines.filter((line) => /metadata\.json$|manifest/.test(line)).length).toBeGreaterThan(3)
  expect((await readdir(folder, { recursive: true })).join()).not.toContain('own.parquet')
})
