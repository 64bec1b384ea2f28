import { readFile } from 'node:fs/promises'
import { stageRemoval } from '../../../src/lake/commit/staging.ts'
import {
  commitRemoval,
  commitTransaction,
  startTransaction,
} from '../../../src/lake/commit/transactions.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { madeFile, commitFiles as writeAs } from '../../modules/iceberg-rest/http/made-files.ts'
import { refusal } from '../../refusal.ts'
import { append, Lake, liveNames } from '../lake.ts'
import { commitFiles, stageFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

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

/** Texts of a file given by its absolute path, which other writers have in their manifests, too. */
function spellings(path: string): string[] {
  const plain = [path, `file:${path}`, `file://${path}`]
  return [...plain, `file://${path.replace('/lake/', '//lake/.///')}`, `file:///${path}`]
}

/** Commits a file under this very text, as another writer of the table does. */
async function addAs(table: string, text: string, path: string): Promise<void> {
  const { state } = await readTable(shop.deps, { table })
  const fileSizeBytes = (await readFile(path)).length
  const added = [{ ...madeFile(''), path: text, fileSizeBytes }]
  await writeAs(shop.deps, state.definition.tableUuid, { added })
}

async function pathsOf(table: string): Promise<string[]> {
  const { plan } = await readTable(shop.deps, { table })
  return [...plan.plannedFiles()].map(({ dataFile }) => dataFile.path)
}

test('a file is refused twice under any spelling, and kept as it was spelled first', async () => {
  const path = await lake.numbers(shop, 'a')
  for (const [i, text] of spellings(path).entries()) {
    const table = `t${i}`
    await createTable(shop.deps, { name: table, columns: [{ name: 'n', type: 'long' }] })
    // Known to the catalog as every writer's files are.
    await addAs(table, text, path)
    await makeKnown(table, text)
    for (const again of spellings(path)) {
      expect((await refusal(append(shop, table, again))).code).toBe('file-already-in-table')
      const { transactionId } = await startTransaction(shop.deps, {})
      const staged = stageFiles(shop.deps, { table, transactionId, paths: [again] })
      expect((await refusal(staged)).code).toBe('file-already-in-table')
    }
    expect(await pathsOf(table)).toEqual([text])
  }
})

/** What a commit of another writer records. */
async function makeKnown(table: string, text: string): Promise<void> {
  const state = await shop.deps.catalog.tables.find({ namespace: ['default'], name: table })
  if (state === undefined) throw new Error(`no table ${table}`)
  await shop.deps.catalog.tables.commit({
    tables: [
      {
        expectedVersion: state.version,
        state: { ...state, version: state.version + 1 },
        newSnapshots: [],
        newLogEntries: [],
        addedPaths: [text],
      },
    ],
    transactions: [],
  })
}

test('a request and a transaction refuse a file that they have otherwise spelled', async () => {
  const path = await lake.numbers(shop, 'a')
  const paths = spellings(path)
  expect((await refusal(commitFiles(shop.deps, { table: 't', paths }))).facts).toMatchObject({
    path: `file://${path}`,
  })
  const { transactionId } = await startTransaction(shop.deps, {})
  for (const [i, text] of paths.entries()) {
    const staged = stageFiles(shop.deps, { table: 't', transactionId, paths: [text] })
    if (i === 0) await staged
    else expect((await refusal(staged)).code).toBe('file-already-in-table')
  }
})

test('a file is removed under any spelling', async () => {
  const path = await lake.numbers(shop, 'a')
  for (const text of spellings(path)) {
    for (const named of spellings(path)) {
      await addAs('t', text, path)
      await makeKnown('t', text)
      const change = { removedPaths: [named], truncate: false }
      const { results } = await commitRemoval(shop.deps, { table: 't', change })
      expect(results[0]?.removedDataFiles).toBe(1)
      expect(await pathsOf('t')).toEqual([])
    }
  }
})

test('a transaction may replace a file under another spelling of it', async () => {
  const path = await lake.numbers(shop, 'a')
  const text = `file:///${path}`
  await addAs('t', text, path)
  await makeKnown('t', text)
  const { transactionId } = await startTransaction(shop.deps, {})
  await stageRemoval(shop.deps, { table: 't', transactionId, paths: [`file:${path}`] })
  await stageFiles(shop.deps, { table: 't', transactionId, paths: [path] })
  await commitTransaction(shop.deps, transactionId)
  expect(await liveNames(shop, 't')).toEqual(['a'])
})

test('what GET lists of a table at file:/ is found again', async () => {
  const { state } = await readTable(shop.deps, { table: 't' })
  const location = state.definition.location.replace('file:///', 'file:/')
  const moved = { ...state, definition: { ...state.definition, location }, version: 1 }
  const commit = { newSnapshots: [], newLogEntries: [], addedPaths: [] }
  await shop.deps.catalog.tables.commit({
    tables: [{ ...commit, expectedVersion: 0, state: moved }],
    transactions: [],
  })
  const chunks = (async function* () {
    yield await readFile(await lake.numbers(shop, 'a'))
  })()
  await uploadFile(shop.deps, { table: 't', chunks })
  const [listed] = await pathsOf('t')
  expect(listed).toMatch(/^file:\/[^/]/)
  expect((await refusal(append(shop, 't', listed ?? ''))).code).toBe('file-already-in-table')
  const change = { removedPaths: [listed ?? ''], truncate: false }
  await commitRemoval(shop.deps, { table: 't', change })
  expect(await pathsOf('t')).toEqual([])
})
