import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildService, KillableService, removeBuild, runToEnd } from '../crash/killable-service.ts'
import { writeParquet } from '../parquet-files.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }

let base: string
beforeAll(buildService)
afterAll(removeBuild)
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
  expect(made.stdout).toMatch(/^missing {2}2 files of tables: see missing-files.txt$/m)
  const read = (name: string) => readFile(join(base, 'backup', name), 'utf8')
  expect(await read('registered-files.txt')).toBe(`file://${kept}\n`)
  expect(await read('missing-files.txt')).toBe(`file://${gone}\nfile://${staged}\n`)

  // Nor could a service serve what it may not look at.
  const without = { MORAINE_HOME: home.MORAINE_HOME }
  const blind = await runToEnd(['backup', join(base, 'blind')], without)
  expect([blind.code, blind.stdout]).toEqual([2, expect.stringMatching(/^missing {2}3 files/m)])
}, 60_000)
