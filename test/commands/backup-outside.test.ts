import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildService, endServices, KillableService, runToEnd } from '../crash/killable-service.ts'
import { writeTask } from '../modules/exports/export-harness.ts'
import { writeParquet } from '../parquet-files.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }

let base: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-backup-')))
})
afterEach(() => rm(base, { recursive: true, force: true }))

async function createTable(url: string, name: string): Promise<void> {
  const body = JSON.stringify({ name, schema: { columns: [{ name: 'n', type: 'long' }] } })
  const reply = await fetch(`${url}/v1/tables`, { method: 'POST', headers: JSON_TYPE, body })
  expect(reply.status).toBe(201)
}

test('a registered file that is gone is missing, and the backup is not whole', async () => {
  const home = { MORAINE_HOME: join(base, 'old'), MORAINE_ALLOWED_LOCATIONS: base }
  const service = await KillableService.start(home)
  const { url } = service
  for (const name of ['a', 'b']) await createTable(url, name)
  const [kept, gone] = [join(base, 'kept.parquet'), join(base, 'gone.parquet')]
  for (const path of [kept, gone]) await writeParquet(path, 'SELECT (-1)::BIGINT AS n')
  const post = { method: 'POST', headers: JSON_TYPE }
  const body = JSON.stringify({ files: [{ path: kept }, { path: gone }] })
  expect((await fetch(`${url}/v1/tables/a/files`, { ...post, body })).status).toBe(200)
  const staged = join(base, 'staged.parquet')
  await writeParquet(staged, 'SELECT (-2)::BIGINT AS n')
  const begun = await fetch(`${url}/v1/transactions/start`, { ...post, body: '{}' })
  const { transaction_id } = (await begun.json()) as Record<string, unknown>
  const staging = JSON.stringify({ transaction_id, files: [{ path: staged }] })
  expect((await fetch(`${url}/v1/tables/b/files`, { ...post, body: staging })).status).toBe(200)
  await service.kill('SIGTERM')
  for (const path of [gone, staged]) await rm(path)
  const made = await runToEnd(['backup', join(base, 'backup')], home)
  expect(made).toMatchObject({ code: 2, stderr: '' })
  expect(made.stdout).toMatch(/^not copied {2}1 files outside the warehouse$/m)
  expect(made.stdout).toMatch(/^missing {2}2 files of tables or archives: see missing-files.txt$/m)
  const read = (name: string) => readFile(join(base, 'backup', name), 'utf8')
  expect(await read('registered-files.txt')).toBe(`file://${kept}\n`)
  expect(await read('missing-files.txt')).toBe(`file://${gone}\nfile://${staged}\n`)

  // Nor could a service serve what it may not look at.
  const without = { MORAINE_HOME: home.MORAINE_HOME }
  const blind = await runToEnd(['backup', join(base, 'blind')], without)
  expect([blind.code, blind.stdout]).toEqual([2, expect.stringMatching(/^missing {2}3 files/m)])
}, 60_000)

test('archives in EXPORT_PATH are looked up and listed, and found after a restore', async () => {
  const archive = join(base, 'archive')
  await mkdir(archive)
  const home = { MORAINE_HOME: join(base, 'old'), EXPORT_PATH: archive }
  const service = await KillableService.start(home)
  const { url } = service
  await createTable(url, 'a')
  const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: 'n\n1\n2\n' }
  expect((await fetch(`${url}/v1/tables/a/files`, csv)).status).toBe(201)
  const task = { source: 'moraine', table: 'a', where: 'true', compression: 'none' }
  await writeTask(join(base, 'old/exports'), 't', { 'task.json': task })
  expect((await fetch(`${url}/exports/t`, { method: 'POST' })).status).toBe(200)
  await service.kill('SIGTERM')
  const [file] = await readdir(join(archive, 't'))
  const staged = '.exports/.staged/t/run_mark.csv'
  await mkdir(join(base, 'old/warehouse/.exports/.staged/t'), { recursive: true })
  await writeFile(join(base, 'old/warehouse', staged), 'rows')
  const made = await runToEnd(['backup', join(base, 'backup')], home)
  expect(made).toMatchObject({ code: 0, stderr: '' })
  expect(made.stdout).toMatch(/^not copied {2}1 files outside the warehouse$/m)
  const read = (name: string) => readFile(join(base, 'backup', name), 'utf8')
  expect(await read('registered-files.txt')).toBe(`file://${archive}/t/${file}\n`)

  const place = { MORAINE_HOME: join(base, 'new') }
  const back = await runToEnd(['restore', join(base, 'backup')], place)
  expect(back).toMatchObject({ code: 0, stderr: '' })
  for (const ending of ['', '.restored']) {
    await readFile(join(base, `new/warehouse/${staged}${ending}`))
  }
  expect(back.stdout).toMatch(/^not restored {2}1 files outside.* whatever EXPORT_PATH is$/m)
  const relocated = /MORAINE_RELOCATED=(\S+)/.exec(back.stdout)?.[1] ?? ''
  const again = await KillableService.start({ ...place, MORAINE_RELOCATED: relocated })
  const sent = await fetch(`${again.url}/v1/exports/t/files/${file}`)
  expect(await sent.text()).toBe('n\n1\n2\n')
  await again.kill('SIGTERM')

  await rename(archive, join(base, 'away'))
  const lost = await runToEnd(['backup', join(base, 'lost')], { MORAINE_HOME: home.MORAINE_HOME })
  expect([lost.code, lost.stdout]).toEqual([2, expect.stringMatching(/^missing {2}1 files/m)])
}, 60_000)
