import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { type Config, ConfigError, readConfig } from '../../src/config.ts'
import { getTable } from '../../src/lake/table/table-lookup.ts'
import { createTable } from '../../src/modules/tables/tables.ts'
import { type Overrides, openPlatform, startService } from '../../src/service.ts'
import { changed } from './failing-disk.ts'

let home: string
let config: Config
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-platform-'))
  config = readConfig({ MORAINE_HOME: home, MORAINE_PORT: '0' })
})
afterEach(() => rm(home, { recursive: true, force: true }))

const COLUMNS = [{ name: 'n', type: 'long' }]

/** What this process has open below the home. */
async function openFiles(): Promise<string[]> {
  const links = (await readdir('/proc/self/fd')).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ''),
  )
  return (await Promise.all(links)).filter((path) => path.startsWith(home))
}

/** Nothing is open, and nothing lies about but what lasts. */
async function expectClosed(): Promise<void> {
  expect(await openFiles()).toEqual([])
  expect(await readdir(config.temporaryFolder).catch(() => [])).toEqual([])
}

function fail(): never {
  throw new Error('it cannot be opened')
}

test.each<[string, Overrides]>([
  ['catalog', { wrapCatalog: fail }],
  ['object store', { wrapObjects: fail }],
  ['engine', { wrapEngine: fail }],
])('a platform whose %s fails to open leaves nothing open', async (_, overrides) => {
  await expect(openPlatform(config, overrides)).rejects.toThrow('it cannot be opened')
  await expectClosed()
})

test('a service that cannot listen leaves nothing open', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const log = pino({ level: 'silent' })
  await expect(startService({ ...config, port }, log)).rejects.toThrow(ConfigError)
  server.close()
  await expectClosed()
})

test('what a platform did is there for the next one, and two may be open at once', async () => {
  const first = await openPlatform(config)
  expect((await openFiles()).length).toBeGreaterThan(0)
  await createTable(first, { name: 'a', columns: COLUMNS })
  const second = await openPlatform(config)
  await createTable(second, { name: 'b', columns: COLUMNS })
  expect((await getTable(first.catalog, 'b')).name).toBe('b')
  await first.close()
  expect((await getTable(second.catalog, 'a')).name).toBe('a')
  await second.close()
  await second.close()
  await expectClosed()
})

test('tests put in what they want: clock, ids, meter, and what stands before a store', async () => {
  const written: string[] = []
  let published = 0
  const platform = await openPlatform(config, {
    ambient: { nowMs: () => 1_000, newUuid: () => '00000000-0000-4000-8000-000000000001' },
    meter: changed({} as NonNullable<Overrides['meter']>, { published: () => void published++ }),
    wrapObjects: (objects) =>
      changed(objects, {
        putIfAbsent: (location, bytes) => {
          written.push(location)
          return objects.putIfAbsent(location, bytes)
        },
      }),
  })
  const { definition, lastUpdatedMs } = await createTable(platform, { name: 'a', columns: COLUMNS })
  await platform.close()
  expect(lastUpdatedMs).toBe(1_000)
  expect(definition.tableUuid).toBe('00000000-0000-4000-8000-000000000001')
  expect(written).toEqual([expect.stringMatching(/a.*\/metadata\/00000-.*\.metadata\.json$/)])
  expect(published).toBe(1)
})
