import { existsSync } from 'node:fs'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { readConfig } from '../../src/config.ts'
import { unlinkDue } from '../../src/lake/deletion/unlinker.ts'
import { openPlatform } from '../../src/service.ts'
import {
  describeWithPostgres,
  type PostgresServer,
  startPostgres,
} from '../catalog/postgres-server.ts'
import { buildService, endServices, KillableService, runToEnd } from '../crash/killable-service.ts'
import { freePort } from '../free-port.ts'
import { writeTask } from '../modules/exports/export-harness.ts'

let base: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-restore-')))
})
afterEach(() => rm(base, { recursive: true, force: true }))

/** Runs a service for as long as `use` takes. */
async function serving<T>(
  environment: Record<string, string>,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const service = await KillableService.start(environment)
  try {
    return await use(service.url)
  } finally {
    await service.kill('SIGTERM')
  }
}

/** A table with one row, and its backup. */
async function backedUp(environment: Record<string, string>, name: string): Promise<string> {
  await serving(environment, async (url) => {
    const headers = { 'Content-Type': 'application/json' }
    const body = JSON.stringify({ name, schema: { columns: [{ name: 'n', type: 'long' }] } })
    await fetch(`${url}/v1/tables`, { method: 'POST', headers, body })
    const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: 'n\n1\n' }
    expect((await fetch(`${url}/v1/tables/${name}/files`, csv)).status).toBe(201)
  })
  const folder = join(base, `backup-${name}`)
  expect(await runToEnd(['backup', folder], environment)).toMatchObject({ code: 0, stderr: '' })
  return folder
}

async function rowsOf(url: string, table: string): Promise<string> {
  return await (await fetch(`${url}/v1/tables/${table}/dump?format=csv`)).text()
}

const DAY_MS = 86_400_000

/** Works off the deletions that are due so many days from now; returns how many files are gone. */
async function deletedIn(days: number, environment: Record<string, string>): Promise<number> {
  const nowMs = () => Date.now() + days * DAY_MS
  const platform = await openPlatform(readConfig(environment), { ambient: { nowMs } })
  try {
    return (await unlinkDue(platform)).deleted
  } finally {
    await platform.close()
  }
}

/**
 * After a backup in which the files of a table are doomed, another one names one of them. With the
 * backup back, they stay for a full grace from then on, in which the other comes back.
 */
async function keepsNamedLater(environment: Record<string, string>, forget: () => Promise<void>) {
  await serving(environment, async (url) => {
    const headers = { 'Content-Type': 'application/json' }
    for (const name of ['a', 'b']) {
      const body = JSON.stringify({ name, schema: { columns: [{ name: 'n', type: 'long' }] } })
      await fetch(`${url}/v1/tables`, { method: 'POST', headers, body })
    }
    const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: 'n\n7\n' }
    expect((await fetch(`${url}/v1/tables/a/files`, csv)).status).toBe(201)
  })
  const fileOf = async (url: string, table: string): Promise<string> => {
    const read = await (await fetch(`${url}/v1/tables/${table}`)).json()
    return (read as { data_files: { path: string }[] }).data_files[0]?.path as string
  }
  const folder = join(base, 'backup')
  let path = ''
  await serving(environment, async (url) => {
    path = await fileOf(url, 'a')
    const purged = await fetch(`${url}/v1/tables/a?purge=true`, { method: 'DELETE' })
    expect(purged.status).toBe(200)
    expect(await runToEnd(['backup', folder], environment)).toMatchObject({ code: 0, stderr: '' })
    const headers = { 'Content-Type': 'application/json' }
    const body = JSON.stringify({ files: [{ path }] })
    const added = await fetch(`${url}/v1/tables/b/files`, { method: 'POST', headers, body })
    expect(added.status).toBe(200)
  })
  await forget()
  expect(await runToEnd(['restore', folder], environment)).toMatchObject({ code: 0, stderr: '' })
  const isThere = () => existsSync(path.replace('file://', ''))
  expect([await deletedIn(8, environment), isThere()]).toEqual([0, true])
  // Until then somebody may find what the backup did not have.
  expect(await deletedIn(8 + 6, environment)).toBe(0)
  await serving(environment, async (url) => {
    const headers = { 'Content-Type': 'application/json' }
    const body = JSON.stringify({ files: [{ path }] })
    const added = await fetch(`${url}/v1/tables/b/files`, { method: 'POST', headers, body })
    expect(added.status).toBe(200)
  })
  expect(await deletedIn(8 + 8, environment)).toBeGreaterThan(0)
  expect(isThere()).toBe(true)
  await serving(environment, async (url) => {
    expect(await rowsOf(url, 'b')).toBe('n\n7\n')
  })
}

test('files that a restored catalog was to delete stay for another grace', async () => {
  await keepsNamedLater({ MORAINE_HOME: join(base, 'old') }, () => rm(join(base, 'old/catalog.db')))
}, 120_000)

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function filesOf(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true }).catch(() => [])).sort()
}

test('links in the folder of tasks are followed, and nothing is written through them', async () => {
  const home = { MORAINE_HOME: join(base, 'old') }
  const task = { source: 'moraine', table: 'a', where: 'true' }
  const names = ['equal', 'other', 'empty', 'gone', 'free']
  for (const name of names) await writeTask(join(base, 'old/exports'), name, { 'task.json': task })
  const folder = await backedUp(home, 'a')

  const [tasks, outside] = [join(base, 'tasks'), join(base, 'outside')]
  const place = { MORAINE_HOME: join(base, 'new') }
  await mkdir(place.MORAINE_HOME)
  await symlink(tasks, join(base, 'new/exports'))
  await mkdir(tasks)
  await writeTask(outside, 'equal', { 'task.json': task })
  await writeTask(outside, 'other', { 'task.json': { ...task, where: 'false' } })
  await mkdir(join(outside, 'empty'))
  for (const name of ['equal', 'empty', 'gone']) {
    await symlink(join(outside, name), join(tasks, name))
  }
  await mkdir(join(tasks, 'other'))
  await symlink(join(outside, 'other/task.json'), join(tasks, 'other/task.json'))

  const back = await runToEnd(['restore', folder], place)
  expect(back).toMatchObject({ code: 2, stderr: '' })
  expect(back.stdout).toMatch(/^restored {2}2 export tasks to .*new\/exports$/m)
  expect(back.stdout.match(/^not restored .*$/gm)).toEqual([
    expect.stringMatching(/exports\/empty leads out of .*exports: copy its files yourself$/),
    expect.stringMatching(/exports\/gone leads out of .*exports: copy its files yourself$/),
    expect.stringMatching(/other is left as it is: .*task.json is there with another content$/),
  ])
  expect(await readdir(join(outside, 'empty'))).toEqual([])
  expect((await readdir(outside)).sort()).toEqual(['empty', 'equal', 'other'])
  expect(JSON.parse(await readFile(join(tasks, 'free/task.json'), 'utf8'))).toEqual(task)

  // A link to nothing, and a backup in which the folder is a link.
  await rm(tasks, { recursive: true })
  await rm(join(base, 'new/catalog.db'))
  const dangling = await runToEnd(['restore', folder], place)
  expect(dangling).toMatchObject({ code: 2, stderr: '' })
  expect(dangling.stdout).toMatch(
    /^not restored {2}export tasks: .*new\/exports is a link to noth/m,
  )
  await rm(join(folder, 'exports'), { recursive: true })
  await symlink(outside, join(folder, 'exports'))
  await rm(join(base, 'new/catalog.db'))
  const linked = await runToEnd(['restore', folder], place)
  expect([linked.code, linked.stdout]).toEqual([2, expect.stringMatching(/exports is a link$/m)])
})

describeWithPostgres('to PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())

  const place = async (home: string) => ({
    MORAINE_HOME: join(base, home),
    MORAINE_CATALOG: await server.newDatabase(),
  })

  test('a second restore is refused before anything is written, and the first stays', async () => {
    const from = await place('old')
    const folder = await backedUp(from, 'a')
    const to = await place('new')
    expect(await runToEnd(['restore', folder], to)).toMatchObject({ code: 0, stderr: '' })
    const again = await runToEnd(['restore', folder], to)
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.stderr).toMatch(
      /^moraine: MORAINE_CATALOG=postgres:.* cannot take this backup: a catalog is there.*\n$/,
    )
    // The catalog of another warehouse, and a new folder: nothing is copied there.
    const elsewhere = { ...from, MORAINE_HOME: join(base, 'elsewhere') }
    expect(await runToEnd(['restore', folder], elsewhere)).toMatchObject({ code: 1, stdout: '' })
    expect(await filesOf(join(base, 'elsewhere'))).toEqual([])
    const relocated = `file://${base}/old/warehouse=file://${base}/new/warehouse`
    await rm(join(base, 'old'), { recursive: true })
    await serving({ ...to, MORAINE_RELOCATED: relocated }, async (url) => {
      expect(await rowsOf(url, 'a')).toBe('n\n1\n')
    })
  }, 120_000)

  test('files that a restored catalog was to delete stay for another grace', async () => {
    const from = await place('old')
    await keepsNamedLater(from, async () => {
      await query(from.MORAINE_CATALOG, 'drop schema public cascade')
      await query(from.MORAINE_CATALOG, 'create schema public')
    })
  }, 120_000)

  test('a database with anything else is refused, and left as it was', async () => {
    const folder = await backedUp(await place('old'), 'a')
    const to = await place('new')
    await query(to.MORAINE_CATALOG, 'create schema s; create table s.mine (n int)')
    const refused = await runToEnd(['restore', folder], to)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/cannot take this backup: that database is not empty; .*\n$/)
    expect(await filesOf(join(base, 'new'))).toEqual([])
  }, 120_000)

  test('killed before the catalog is whole, it is simply run again', async () => {
    const folder = await backedUp(await place('old'), 'a')
    const to = await place('new')
    const PATH = await programs({
      pg_restore: 'case "$*" in *--list*) exit 0;; esac; kill -KILL $PPID',
    })
    expect(await runToEnd(['restore', folder], { ...to, PATH })).toMatchObject({ code: null })
    expect((await filesOf(join(base, 'new'))).join()).toContain('.parquet')
    const again = await runToEnd(['restore', folder], to)
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^restored {2}0 files/) })
    await rm(join(base, 'old'), { recursive: true })
    const relocated = `file://${base}/old/warehouse=file://${base}/new/warehouse`
    await serving({ ...to, MORAINE_RELOCATED: relocated }, async (url) => {
      expect(await rowsOf(url, 'a')).toBe('n\n1\n')
    })
  }, 120_000)

  test('programs that are missing or too old, and databases that are away, are told', async () => {
    const from = await place('old')
    const folder = await backedUp(from, 'a')
    const to = await place('new')
    const none = await runToEnd(['restore', folder], { ...to, PATH: '/nowhere' })
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringMatching(/pg_restore is not found; install PostgreSQL's client programs.*\n$/),
    ])
    const told = 'echo "pg_dump: error: aborting because of server version mismatch" >&2; exit 1'
    const PATH = await programs({
      pg_dump: `echo part > "\${5#--file=}"; ${told}`,
      pg_restore: 'echo "pg_restore: error: unsupported version (1.16) in file header" >&2; exit 1',
    })
    const old = await runToEnd(['backup', join(base, 'x')], { ...from, PATH })
    expect(old).toMatchObject({ code: 1, stdout: '' })
    expect(old.stderr).toMatch(/version mismatch; put a newer pg_dump first in PATH.*\n$/)
    // What is left is empty, so that the same words can be given again.
    expect(await filesOf(join(base, 'x'))).toEqual([])
    const unread = await runToEnd(['restore', folder], { ...to, PATH })
    expect(unread).toMatchObject({ code: 1, stdout: '' })
    expect(unread.stderr).toMatch(/unsupported version .*; put a newer pg_restore first.*\n$/)
    expect(await filesOf(join(base, 'new'))).toEqual([])

    const away = `postgres://moraine:secret@127.0.0.1:${await freePort()}/moraine`
    for (const words of [
      ['backup', join(base, 'y')],
      ['restore', folder],
    ]) {
      const { code, stderr } = await runToEnd(words, { ...from, MORAINE_CATALOG: away })
      expect([code, stderr.split('\n').length]).toEqual([1, 2])
      expect(stderr).toMatch(/MORAINE_CATALOG=postgres:.*cannot be used: connect ECONNREFUSED/)
      expect(stderr).not.toContain('secret')
    }
    expect(await filesOf(join(base, 'y'))).toEqual([])
  }, 120_000)

  test('a database without a catalog has nothing to back up, and gets none', async () => {
    const from = await place('old')
    const ended = await runToEnd(['backup', join(base, 'x')], from)
    expect(ended).toMatchObject({ code: 3, stdout: '' })
    expect(ended.stderr).toMatch(/MORAINE_CATALOG=postgres:.* has no catalog, so nothing to back/)
    expect(
      await query(from.MORAINE_CATALOG, 'select 1 from pg_tables where schemaname = $$public$$'),
    ).toEqual([])
    expect(await filesOf(base)).toEqual([])
  }, 60_000)

  test('a backup that is stopped ends at once, in one line, and holds nothing', async () => {
    const from = await place('old')
    await backedUp(from, 'a')
    const PATH = await programs({ pg_dump: 'kill -INT $PPID; exec sleep 600' })
    const stopped = await runToEnd(['backup', join(base, 'x')], { ...from, PATH })
    expect(stopped).toMatchObject({ code: 1, stdout: '' })
    expect(stopped.stderr).toBe('moraine: stopped by SIGINT: what was copied is no backup\n')
    const held = await query(
      from.MORAINE_CATALOG,
      "select * from leases where name = 'deletions held' and owner <> ''",
    )
    expect(held).toEqual([])
  }, 60_000)
})

/** A PATH with these shell scripts before all others. */
async function programs(scripts: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(base, 'bin-'))
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(folder, name), 0o755)
  }
  return [folder, process.env['PATH']].join(delimiter)
}
