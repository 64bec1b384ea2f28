import type { TableState } from '../../../src/core/table/table.ts'
import type { StagedChange } from '../../../src/core/table/transaction.ts'
import { validateChange } from '../../../src/lake/commit/commit-validation.ts'
import { newTransaction } from '../../../src/lake/commit/transactions.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { refusal } from '../../refusal.ts'
import { append, Lake } from '../lake.ts'
import { inspectFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

let lake: Lake
let shop: Workshop
let state: TableState
let snapshotId: bigint
beforeAll(async () => {
  lake = await Lake.open()
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await append(shop, 't', await lake.numbers(shop, 'a'))
  snapshotId = await append(shop, 't', await lake.numbers(shop, 'b'))
  state = (await readTable(shop.deps, { table: 't' })).state
})
afterAll(async () => {
  await shop.close()
  lake.close()
})

function validate(
  change: Partial<StagedChange>,
  isolation: 'snapshot' | 'overwrite' = 'snapshot',
  now: TableState = state,
) {
  const { tableUuid } = state.definition
  const none = {
    tableUuid,
    baseSnapshotId: null,
    truncate: false,
    removedPaths: [],
    addedFiles: [],
  }
  const transaction = newTransaction(shop.deps, { isolation })
  return validateChange(shop.deps, now, {
    transaction,
    change: { ...none, ...change },
    known: new Set(),
  })
}

const removedPaths = ['file:///a']
test('a truncation or a removal holds for the base that it was decided on', async () => {
  for (const change of [{ truncate: true }, { removedPaths }]) {
    const { code, facts } = await refusal(validate({ ...change, baseSnapshotId: 1n }))
    expect([code, facts['currentSnapshotId']]).toEqual(['commit-conflict', String(snapshotId)])
    expect((await refusal(validate({ ...change, baseSnapshotId: null }))).code).toBe(
      'commit-conflict',
    )
    await validate({ ...change, baseSnapshotId: snapshotId })
    await validate({ ...change, baseSnapshotId: 1n }, 'overwrite')
  }
  await validate({ baseSnapshotId: 1n })
})

test('names that a file brings count in what a definition may have', async () => {
  const [staged] = await inspectFiles(shop.deps, state, {
    paths: [await lake.numbers(shop, 'named')],
  })
  if (staged === undefined) throw new Error('no file')
  const { definition } = state
  const properties = { ...definition.properties, long: 'x'.repeat(16 * 1024 * 1024 - 20_000) }
  const full = { ...state, definition: { ...definition, properties } }
  const files = (length: number) => {
    const unmappedNames = [{ fieldId: 1, name: 'n'.repeat(length) }]
    return { addedFiles: [{ ...staged, unmappedNames }] }
  }
  await validate(files(100), 'snapshot', full)
  const { code } = await refusal(validate(files(30_000), 'snapshot', full))
  expect(code).toBe('definition-too-large')
  await validate(files(30_000))
})

test('a file that was staged under an older schema or spec is read again', async () => {
  const [staged] = await inspectFiles(shop.deps, state, { paths: [await lake.numbers(shop, 'c')] })
  if (staged === undefined) throw new Error('no file')
  const { addedFiles, needsNameMapping } = await validate({ addedFiles: [staged] })
  expect(addedFiles).toEqual([staged.dataFile])
  expect(needsNameMapping).toBe(true)
  expect(
    (await validate({ addedFiles: [{ ...staged, hasFieldIds: true }] })).needsNameMapping,
  ).toBe(false)
  const oldSpec = { ...staged, dataFile: { ...staged.dataFile, specId: 7, recordCount: 99 } }
  expect((await validate({ addedFiles: [oldSpec] })).addedFiles).toEqual([staged.dataFile])
  await evolveTable(shop.deps, 't', { changes: [{ op: 'rename', name: 'n', to: 'm' }] })
  const after = (await readTable(shop.deps, { table: 't' })).state
  const oldSchema = { ...staged, dataFile: { ...staged.dataFile, recordCount: 99 } }
  const again = await validate({ addedFiles: [oldSchema] }, 'snapshot', after)
  expect(again.addedFiles.map(({ recordCount }) => recordCount)).toEqual([10])
})
