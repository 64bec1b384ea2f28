import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { createTable } from '../../src/modules/tables/tables.ts'
import { openPlatform } from '../../src/service.ts'
import { damageHeader, damageTables } from '../catalog/sqlite/damage.ts'
import {
  buildService,
  builtProgram,
  endServices,
  KillableService,
  runToEnd,
} from '../crash/killable-service.ts'

const REBUILD =
  `restore it from a backup, or run "${builtProgram()} rebuild", ` +
  'which sets the file aside and registers every table again from the warehouse'

let home: string
let path: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-damage-'))
  path = join(home, 'catalog.db')
  const platform = await openPlatform(readConfig({ MORAINE_HOME: home }))
  for (const name of ['a', 'b']) {
    await createTable(platform, { name, columns: [{ name: 'n', type: 'long' }] })
  }
  await platform.close()
})
afterEach(() => rm(home, { recursive: true, force: true }))

test.each<[string, () => void, string]>([
  ['a damaged header', () => damageHeader(path), 'that file is damaged, or not an SQLite database'],
  ['a damaged page', () => damageTables(path, ['tables']), 'that database is damaged'],
])('%s: one line that names rebuild, which sets the file aside', async (_, damage, cause) => {
  damage()
  const damaged = await readFile(path)
  const { code, stdout, stderr } = await runToEnd([], { MORAINE_HOME: home })
  expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({
    code: 1,
    stdout: '',
    lines: 2,
  })
  expect(stderr).toContain(`moraine: MORAINE_CATALOG=sqlite:${path} cannot be used: ${cause}`)
  expect(stderr).toContain(REBUILD)
  expect(await readFile(path)).toEqual(damaged)

  const rebuilt = await runToEnd(['rebuild'], { MORAINE_HOME: home })
  expect(rebuilt).toMatchObject({ code: 0, stderr: '' })
  expect(rebuilt.stdout).toMatch(
    /^set aside {2}the damaged .*\nregistered .*\nregistered .*\nnot .*\n$/,
  )
  const aside = (await readdir(home)).filter((name) => /^catalog\.db\.damaged-\w+$/.test(name))
  expect(aside).toHaveLength(1)
  expect(await readFile(join(home, aside[0] ?? ''))).toEqual(damaged)

  const service = await KillableService.start({ MORAINE_HOME: home })
  expect((await fetch(`${service.url}/v1/tables/a`)).status).toBe(200)
  await service.kill('SIGTERM')
})

test('rebuild leaves a sound catalog alone, and its exit code says what it found', async () => {
  const again = await runToEnd(['rebuild'], { MORAINE_HOME: home })
  expect(again).toMatchObject({ code: 0, stdout: expect.not.stringContaining('set aside') })
  const empty = await runToEnd(['rebuild'], { MORAINE_HOME: join(home, 'other') })
  expect(empty).toMatchObject({ code: 3, stdout: '' })
  expect(empty.stdout + empty.stderr).not.toBe('')
})

test('rebuild exits with 2 when something cannot be brought back, and names it', async () => {
  const metadata = join(home, 'warehouse', 'aa', 'odd', 'metadata')
  await mkdir(metadata, { recursive: true })
  await writeFile(join(metadata, '00000-odd.metadata.json'), '{"format-version": 2')
  await rm(path)
  const { code, stdout } = await runToEnd(['rebuild'], { MORAINE_HOME: home })
  expect(code).toBe(2)
  expect(stdout).toMatch(/^unreadable {2}.*\/aa\/odd: .+$/m)
  expect(stdout.match(/^registered/gm)).toHaveLength(2)
})
