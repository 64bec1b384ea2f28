import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { buildService, endServices, KillableService, runToEnd } from '../crash/killable-service.ts'
import { writeParquet } from '../parquet-files.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }
const TABLES = ['a', 'b'] as const

let base: string
let running: KillableService[] = []
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-backup-')))
})
afterEach(async () => {
  for (const service of running) await service.kill()
  running = []
  await rm(base, { recursive: true, force: true })
})

async function serve(environment: Record<string, string>): Promise<string> {
  const service = await KillableService.start(environment)
  running.push(service)
  return service.url
}

async function stopAll(): Promise<void> {
  for (const service of running) await service.kill('SIGTERM')
  running = []
}

async function createTable(url: string, name: string): Promise<void> {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  const body = JSON.stringify({ name, schema })
  const reply = await fetch(`${url}/v1/tables`, { method: 'POST', headers: JSON_TYPE, body })
  expect(reply.status).toBe(201)
}

/** Appends one row, and returns whether that was acknowledged. */
async function append(url: string, table: string, n: number): Promise<boolean> {
  const headers = { 'Content-Type': 'text/csv' }
  const init = { method: 'POST', headers, body: `n\n${n}\n` }
  return (await fetch(`${url}/v1/tables/${table}/files`, init)).status === 201
}

/** Rows, drops and purges, one after the other, until it is stopped. */
function load(url: string) {
  const acknowledged: Record<string, number[]> = { a: [], b: [] }
  let isStopped = false
  const write = async (table: 'a' | 'b') => {
    for (let n = 0; !isStopped; n++) {
      if (await append(url, table, n)) acknowledged[table]?.push(n)
    }
  }
  const purge = async () => {
    for (let n = 0; !isStopped; n++) {
      await createTable(url, `gone${n}`)
      await append(url, `gone${n}`, n)
      await fetch(`${url}/v1/tables/gone${n}?purge=now`, { method: 'DELETE' })
    }
  }
  const running = Promise.all([...TABLES.map(write), purge()])
  return {
    acknowledged,
    async stop() {
      isStopped = true
      await running
    },
  }
}

async function rowsOf(url: string, table: string): Promise<number[]> {
  const dump = await fetch(`${url}/v1/tables/${table}/dump?format=csv`)
  expect(dump.status).toBe(200)
  return (await dump.text()).trim().split('\n').slice(1).map(Number)
}

/** Path of a file that a transaction, which stays open, is to add. */
async function stageOutside(url: string): Promise<string> {
  const path = join(base, 'staged.parquet')
  await writeParquet(path, 'SELECT (-2)::BIGINT AS n')
  const post = { method: 'POST', headers: JSON_TYPE }
  const begun = await fetch(`${url}/v1/transactions/start`, { ...post, body: '{}' })
  const { transaction_id } = (await begun.json()) as Record<string, unknown>
  const body = JSON.stringify({ transaction_id, files: [{ path }] })
  expect((await fetch(`${url}/v1/tables/b/files`, { ...post, body })).status).toBe(200)
  return path
}

interface Place {
  /** Settings of the service that is backed up. */
  readonly from: Record<string, string>
  /** Settings of the one that the backup is restored to. */
  readonly to: Record<string, string>
}

async function backUpUnderLoad({ from, to }: Place): Promise<void> {
  const url = await serve(from)
  for (const table of TABLES) await createTable(url, table)
  const outside = join(base, 'outside.parquet')
  await writeParquet(outside, 'SELECT (-1)::BIGINT AS n')
  const files = { files: [{ path: outside }] }
  const init = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(files) }
  expect((await fetch(`${url}/v1/tables/a/files`, init)).status).toBe(200)
  const staged = await stageOutside(url)
  const key = { ...JSON_TYPE, 'Idempotency-Key': 'once' }
  const kept = { method: 'POST', headers: key, body: JSON.stringify({ description: 'kept' }) }
  const answer = await (await fetch(`${url}/v1/tables/b/metadata`, kept)).text()

  const writers = load(url)
  while (Math.min(...TABLES.map((t) => writers.acknowledged[t]?.length ?? 0)) < 5) {
    await append(url, 'a', -2)
  }
  const before = structuredClone(writers.acknowledged)
  const folder = join(base, 'backup')
  const backup = await runToEnd(['backup', folder], from)
  await writers.stop()
  expect(backup).toMatchObject({ code: 0, stderr: '' })
  expect(backup.stdout).toMatch(/^backed up {2}\d+ files .*\nnot copied {2}2 files outside/)
  expect(backup.stdout).toMatch(/^not copied {2}.*audit-key\.pem: keep the key/m)
  const listed = await readFile(join(folder, 'registered-files.txt'), 'utf8')
  expect(listed).toBe(`file://${outside}\nfile://${staged}\n`)
  await stopAll()

  const restored = await runToEnd(['restore', folder], to)
  expect(restored).toMatchObject({ code: 0, stderr: '' })
  const relocated = /MORAINE_RELOCATED=(\S+)/.exec(restored.stdout)?.[1] ?? ''
  await rename(join(base, 'old'), join(base, 'lost'))
  const again = await serve({ ...to, MORAINE_RELOCATED: relocated })
  for (const table of TABLES) {
    const rows = await rowsOf(again, table)
    expect(rows).toEqual(expect.arrayContaining(before[table] ?? []))
    expect(new Set(rows.filter((n) => n >= 0)).size).toBe(rows.filter((n) => n >= 0).length)
  }
  expect(await (await fetch(`${again}/v1/tables/b/metadata`, kept)).text()).toBe(answer)
  expect(await append(again, 'a', 1_000_000)).toBe(true)
  expect(await rowsOf(again, 'a')).toContain(1_000_000)
}

test('a backup under load has everything acknowledged before it, and every row', async () => {
  await backUpUnderLoad({
    from: { MORAINE_HOME: join(base, 'old'), MORAINE_ALLOWED_LOCATIONS: base },
    to: { MORAINE_HOME: join(base, 'new'), MORAINE_ALLOWED_LOCATIONS: base },
  })
}, 120_000)

test('a backup has what the service keeps in the warehouse, but for dumps', async () => {
  const home = { MORAINE_HOME: join(base, 'old') }
  const url = await serve(home)
  await createTable(url, 'a')
  await append(url, 'a', 1)
  expect(await rowsOf(url, 'a')).toEqual([1])
  await stopAll()
  const kept = [
    '.exports/agency/agency-20250101T000000Z-0f8c1c9e.csv.gz',
    '.exports/.staged/agency/0f8c1c9e',
    '.namespaces/0f8c1c9e.json',
  ]
  for (const name of kept) {
    const path = join(base, 'old/warehouse', name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, name)
  }
  expect(await readdir(join(base, 'old/warehouse'))).toContain('.dumps')
  const folder = join(base, 'backup')
  expect(await runToEnd(['backup', folder], home)).toMatchObject({ code: 0, stderr: '' })
  const place = { MORAINE_HOME: join(base, 'new') }
  expect(await runToEnd(['restore', folder], place)).toMatchObject({ code: 0, stderr: '' })
  const warehouse = join(base, 'new/warehouse')
  const texts = await Promise.all(kept.map((name) => readFile(join(warehouse, name), 'utf8')))
  expect(texts).toEqual(kept)
  expect(await readdir(warehouse)).not.toContain('.dumps')
}, 120_000)

test("what lies in the place of a task's file is told, and stops nothing", async () => {
  const home = { MORAINE_HOME: join(base, 'old'), MORAINE_EXPORTS: join(base, 'tasks') }
  await serve(home)
  await stopAll()
  const tasks = join(base, 'tasks')
  for (const name of ['endless', 'folder', 'linked'])
    await mkdir(join(tasks, name), { recursive: true })
  await symlink('/dev/zero', join(tasks, 'endless', 'task.json'))
  await mkdir(join(tasks, 'folder', 'task.json'))
  await writeFile(join(tasks, 'text'), '{}')
  await symlink('../text', join(tasks, 'linked', 'task.json'))
  const made = await runToEnd(['backup', join(base, 'backup')], home)
  expect(made.code).toBe(2)
  expect(made.stdout).toMatch(/^not copied {2}.*endless.*its task.json is not a file$/m)
  expect(made.stdout).toMatch(/^not copied {2}.*folder.*its task.json is not a file$/m)
  // As in volumes of Kubernetes.
  expect(await readFile(join(base, 'backup/exports/linked/task.json'), 'utf8')).toBe('{}')
}, 120_000)

test('a backup tells of a folder of export tasks that it could not read', async () => {
  const home = { MORAINE_HOME: join(base, 'old'), MORAINE_EXPORTS: join(base, 'tasks') }
  await serve(home)
  await stopAll()
  await writeFile(home.MORAINE_EXPORTS, 'not a folder')
  const made = await runToEnd(['backup', join(base, 'backup')], home)
  expect(made.code).toBe(2)
  expect(made.stdout).toMatch(/^backed up {2}\d+ files .*$/m)
  expect(made.stdout).toMatch(/^not copied {2}.*tasks: .*\(ENOTDIR\); give the service the right/m)
}, 120_000)

test('a backup has the tasks of exports, and a restore puts back those that are gone', async () => {
  const home = { MORAINE_HOME: join(base, 'old'), MORAINE_EXPORTS: join(base, 'tasks') }
  const url = await serve(home)
  await createTable(url, 'a')
  await stopAll()
  const task = { source: 'moraine', table: 'a', where: 'true' }
  const files = {
    'agency/task.json': JSON.stringify(task),
    'old/select.sql': 'SELECT 1 -- \xff',
    'old/delete.sql': 'DELETE FROM x',
  }
  const others = { 'agency/secret.txt': 'a', 'old/.env': 'b', 'none/x': 'c' }
  for (const [name, text] of Object.entries({ ...files, ...others })) {
    await mkdir(dirname(join(base, 'tasks', name)), { recursive: true })
    await writeFile(join(base, 'tasks', name), Buffer.from(text, 'latin1'))
  }
  const folder = join(base, 'backup')
  const made = await runToEnd(['backup', folder], home)
  expect(made).toMatchObject({ code: 0, stderr: '' })
  expect(made.stdout).toMatch(/^backed up {2}2 export tasks of .*tasks$/m)
  expect(made.stdout).toMatch(/^not copied {2}MORAINE_EXPORT_SOURCES/m)
  const namesIn = async (path: string) =>
    (await readdir(path, { recursive: true })).filter((name) => name.includes('/')).sort()
  expect(await namesIn(join(folder, 'exports'))).toEqual(Object.keys(files).sort())

  const place = { MORAINE_HOME: join(base, 'new') }
  const back = await runToEnd(['restore', folder], place)
  expect(back).toMatchObject({ code: 0, stderr: '' })
  expect(back.stdout).toMatch(/^restored {2}2 export tasks to .*new\/exports$/m)
  expect(back.stdout).toMatch(/set MORAINE_EXPORT_SOURCES/)
  for (const [name, text] of Object.entries(files)) {
    expect((await readFile(join(base, 'new/exports', name))).toString('latin1')).toBe(text)
  }
  const relocated = /MORAINE_RELOCATED=(\S+)/.exec(back.stdout)?.[1] ?? ''
  const again = await serve({ ...place, MORAINE_RELOCATED: relocated })
  const listed = (await (await fetch(`${again}/exports`)).json()) as Record<string, unknown>
  expect(listed).toEqual({ exports: ['agency', 'old'] })
  await stopAll()

  // One that was changed since stays, and is told.
  await writeFile(join(base, 'new/exports/old/delete.sql'), 'DELETE FROM y')
  await rm(join(base, 'new/exports/agency'), { recursive: true })
  await rm(join(base, 'new/catalog.db'))
  const second = await runToEnd(['restore', folder], place)
  expect(second.code).toBe(2)
  expect(second.stdout).toMatch(/^restored {2}1 export tasks/m)
  expect(second.stdout).toMatch(/not restored {2}.*old\/delete.sql is there with another content/)
  expect(await readFile(join(base, 'new/exports/old/delete.sql'), 'utf8')).toBe('DELETE FROM y')

  // Nor is a task made of two: files of the other form stay alone.
  await rm(join(base, 'new/exports/old'), { recursive: true })
  await mkdir(join(base, 'new/exports/old'))
  await writeFile(join(base, 'new/exports/old/task.json'), JSON.stringify(task))
  // Links in a backup are not its files.
  await mkdir(join(folder, 'exports/linked'))
  await symlink(join(base, 'tasks/none/x'), join(folder, 'exports/linked/task.json'))
  await symlink(join(base, 'tasks/agency'), join(folder, 'exports/linked-too'))
  await rm(join(base, 'new/catalog.db'))
  const mixed = await runToEnd(['restore', folder], place)
  expect(mixed.code).toBe(2)
  expect(mixed.stdout).toMatch(/^restored {2}1 export tasks/m)
  expect(mixed.stdout).toMatch(/not restored {2}.*old is left as it is: .*task.json is there, and/)
  expect(mixed.stdout).toMatch(/not restored {2}.*linked.*task.json cannot be read \(ELOOP\)/)
  expect(mixed.stdout).toMatch(/not restored {2}.*linked-too.*its folder is a link/)
  expect(await namesIn(join(base, 'new/exports'))).toEqual(['agency/task.json', 'old/task.json'])

  // A place that cannot be written stops nothing else.
  const other = { MORAINE_HOME: join(base, 'other'), MORAINE_EXPORTS: join(folder, 'backup.json') }
  const third = await runToEnd(['restore', folder], other)
  expect([third.code, third.stdout]).toEqual([
    2,
    expect.stringMatching(/not restored {2}export tas/),
  ])
  expect(third.stdout.split('\n').length).toBeLessThan(6)
  expect(await readdir(join(base, 'other'))).toContain('catalog.db')
}, 120_000)

const testWithPostgres = whyNoPostgres() === undefined ? test : test.skip

testWithPostgres(
  'so has one of PostgreSQL, by pg_dump',
  async () => {
    const server = await startPostgres()
    const place = async (home: string) => ({
      MORAINE_HOME: join(base, home),
      MORAINE_ALLOWED_LOCATIONS: base,
      MORAINE_CATALOG: await server.newDatabase(),
    })
    try {
      const from = await place('old')
      await backUpUnderLoad({ from, to: await place('new') })
      await stopAll()
      await rename(join(base, 'lost'), join(base, 'old'))
      const words = ['backup', join(base, 'without')]
      const ended = await runToEnd(words, { ...from, PATH: '/nowhere' })
      expect(ended).toMatchObject({ code: 1, stdout: '' })
      expect(ended.stderr).toMatch(/pg_dump is not found; install PostgreSQL's client programs/)
    } finally {
      await stopAll()
      await server.stop()
    }
  },
  180_000,
)

test('what cannot be backed up or restored is told in one line, and nothing changes', async () => {
  const home = { MORAINE_HOME: join(base, 'old') }
  const url = await serve(home)
  await createTable(url, 'a')
  await append(url, 'a', 1)
  await stopAll()
  const folder = join(base, 'backup')
  const refusals: [string[], Record<string, string>, RegExp][] = [
    [['restore', base], home, /no finished backup: it has no backup.json/],
    [['restore', '/proc/x'], home, /is not a folder/],
    [['restore', join(base, 'typo')], home, /is not a folder/],
    [['backup', join(base, 'old')], home, /is not empty: give a new folder/],
    [['backup', join(base, 'old', 'warehouse', 'x')], home, /is in the warehouse/],
    [['backup', '/proc/x'], home, /cannot hold a backup/],
  ]
  for (const [words, environment, said] of refusals) {
    const { code, stderr } = await runToEnd(words, environment)
    expect([code, stderr.split('\n').length, stderr]).toEqual([1, 2, expect.stringMatching(said)])
  }
  const nothing = await runToEnd(['backup', folder], { MORAINE_HOME: join(base, 'nowhere') })
  expect(nothing).toMatchObject({ code: 3, stderr: expect.stringMatching(/no catalog .*nowhere/) })
  expect((await readdir(base)).sort()).toEqual(['old'])
  expect(await runToEnd(['backup', folder], home)).toMatchObject({ code: 0 })
  const onto = await runToEnd(['restore', folder], home)
  expect([onto.code, onto.stderr]).toEqual([1, expect.stringMatching(/a catalog is there already/)])
  const other = join(base, 'other')
  await stopAll()
  await runToEnd(['rebuild'], { MORAINE_HOME: other })
  await rm(join(other, 'catalog.db'))
  const foreign = await runToEnd(['restore', folder], { MORAINE_HOME: other })
  expect([foreign.code, foreign.stderr]).toEqual([1, expect.stringMatching(/it is not empty/)])

  // A lost catalog comes back over the living warehouse, and lost files with it.
  await rm(join(base, 'old', 'catalog.db'))
  const names = await readdir(join(base, 'old', 'warehouse'), { recursive: true })
  const lost = names.find((name) => name.endsWith('.parquet')) ?? ''
  await rm(join(base, 'old', 'warehouse', lost))
  const restored = await runToEnd(['restore', folder], home)
  expect(restored).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^restored {2}1 files.*\nleft as it was {2}\d+ files/),
  })
  expect(await rowsOf(await serve(home), 'a')).toEqual([1])
  await stopAll()
  await rm(join(base, 'old', 'warehouse', lost))
  const holed = await runToEnd(['backup', join(base, 'holed')], home)
  expect(holed).toMatchObject({
    code: 2,
    // The first word of a catalog that was put back.
    stderr: expect.stringMatching(/^[^\n]*the catalog is older than its warehouse[^\n]*\n$/),
    stdout: expect.stringContaining('missing  1 files'),
  })
  expect(await readFile(join(base, 'holed', 'missing-files.txt'), 'utf8')).toContain(lost)
  const back = await runToEnd(['restore', join(base, 'holed')], { MORAINE_HOME: join(base, 'b') })
  expect(back).toMatchObject({ code: 2, stdout: expect.stringContaining('missing  1 files') })
}, 60_000)
