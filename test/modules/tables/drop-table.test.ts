import { createReadStream, existsSync } from 'node:fs'
import { commitRemoval } from '../../../src/lake/commit/transactions.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake, liveNames } from '../../lake/lake.ts'
import { commitFiles } from '../../lake/trusted-caller.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

async function upload(table: string, name: string): Promise<string> {
  const chunks = createReadStream(await lake.numbers(shop, name))
  return (await uploadFile(shop.deps, { table, chunks })).files[0]?.dataFile.path ?? ''
}

async function filesOf(table: string): Promise<string[]> {
  const { state } = await readTable(shop.deps, { table })
  return filesBelow(state.definition.location)
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = []
  for await (const { location } of shop.deps.objects.list(folder)) found.push(location)
  return found
}

function isThere(location: string): boolean {
  return existsSync(location.replace('file://', ''))
}

test('a dropped table is gone, its files stay, and its name is free', async () => {
  await upload('t', 'a')
  const files = await filesOf('t')
  const report = await dropTable(shop.deps, 't', { purge: false })
  expect(report).toMatchObject({ deletedFiles: 0, keptFiles: 0 })
  expect((await refusal(readTable(shop.deps, { table: 't' }))).code).toBe('table-not-found')
  expect((await refusal(dropTable(shop.deps, 't', { purge: 'now' }))).code).toBe('table-not-found')
  await shop.deps.publisher.close()
  expect(files.filter(isThere)).toEqual(files)
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  expect(await liveNames(shop, 't')).toEqual([])
})

test('a purge deletes everything of its own, also what is no longer live', async () => {
  const removed = await upload('t', 'a')
  const kept = await upload('t', 'b')
  const change = { removedPaths: [removed], truncate: false }
  await commitRemoval(shop.deps, { table: 't', change })
  const { state } = await readTable(shop.deps, { table: 't' })
  const report = await dropTable(shop.deps, 't', { purge: 'now' })
  expect(isThere(removed) || isThere(kept)).toBe(false)
  expect(report.keptFiles).toBe(0)
  expect(await filesBelow(state.definition.location)).toEqual([])
})

test('a purge right after a commit leaves no metadata file that was on its way', async () => {
  const path = await lake.numbers(shop, 'a')
  const { state } = await commitFiles(shop.deps, { table: 't', paths: [path] })
  await dropTable(shop.deps, 't', { purge: 'now' })
  await shop.deps.publisher.close()
  expect(await filesBelow(state.definition.location)).toEqual([])
})

test('a purge keeps files outside the warehouse', async () => {
  const path = await lake.numbers(shop, 'a')
  await append(shop, 't', path)
  const report = await dropTable(shop.deps, 't', { purge: 'now' })
  expect(report.keptFiles).toBe(1)
  expect(isThere(path)).toBe(true)
})

test('a purge keeps what a clone uses, and the purge of the clone takes it', async () => {
  const [a, b] = [await upload('t', 'a'), await upload('t', 'b')]
  await cloneTable(shop.deps, { table: 't', name: 'copy' })
  const later = await upload('t', 'later')
  const source = await dropTable(shop.deps, 't', { purge: 'now' })
  expect([a, b].filter(isThere)).toEqual([a, b])
  expect(isThere(later)).toBe(false)
  expect(await liveNames(shop, 'copy')).toHaveLength(2)
  await dropTable(shop.deps, 'copy', { purge: 'now' })
  expect([a, b].filter(isThere)).toEqual([])
  expect(await filesBelow(`${source.state.definition.location}/data`)).toEqual([])
})

test('the purge of a clone takes only what is its own', async () => {
  const a = await upload('t', 'a')
  await cloneTable(shop.deps, { table: 't', name: 'copy' })
  const own = await upload('copy', 'own')
  await dropTable(shop.deps, 'copy', { purge: 'now' })
  expect([isThere(a), isThere(own)]).toEqual([true, false])
  const fresh = await shop.another()
  expect(await liveNames({ deps: fresh }, 't')).toHaveLength(1)
})

test('a file that two tables were given on their own stays while one of them is', async () => {
  await createTable(shop.deps, { name: 'u', columns: [{ name: 'n', type: 'long' }] })
  const a = await upload('t', 'a')
  await append(shop, 'u', a)
  await dropTable(shop.deps, 't', { purge: 'now' })
  expect(isThere(a)).toBe(true)
  await dropTable(shop.deps, 'u', { purge: 'now' })
  expect(isThere(a)).toBe(false)
})

test('a location outside the warehouse, or of another table, is refused', async () => {
  const { state } = await readTable(shop.deps, { table: 't' })
  const columns = [{ name: 'n', type: 'long' }]
  const refused = [
    `${shop.deps.warehouse}/../elsewhere`,
    `file://${shop.dataFolder}/t`,
    shop.deps.warehouse,
    state.definition.location,
    `${state.definition.location}/`,
  ]
  for (const location of refused) {
    const attempt = createTable(shop.deps, { name: 'evil', columns, location })
    const code = await refusal(attempt).then(
      (error) => error.code,
      (error: Error) => error.message,
    )
    expect([location, code]).toEqual([location, expect.stringMatching(/^location-/)])
  }
})
