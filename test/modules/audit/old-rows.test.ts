import { holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { START_MS } from '../../lake/workshop.ts'
import { insertedInto, openSealedAudit, type SealedAudit } from './sealed-audit.ts'

const DAY_MS = 86_400_000

let audit: SealedAudit
beforeEach(async () => {
  audit = await openSealedAudit()
  await audit.sealThree()
})
afterEach(() => audit.close())

describe('rows that are too old', () => {
  test('go with their whole seal, after a seal has said so', async () => {
    audit.setClock(START_MS + 10 * DAY_MS)
    await audit.add('i')
    await audit.seal()
    audit.setClock(START_MS + 400 * DAY_MS)
    await audit.add('j')
    await audit.seal()
    audit.setClock(START_MS + 402 * DAY_MS)
    await audit.seal()
    await audit.seal()
    expect(await audit.verify()).toMatchObject({ seals: 6n, rows: 2, prunedThrough: 3n })
    const left = await audit.deps.catalog.audit.list({ limit: 10 })
    expect(left.map(({ rowId }) => rowId)).toEqual(['j', 'i'])
    // What is put back where rows were given up must still be what it was.
    audit.change(insertedInto(2, 'i'))
    expect(await audit.verify()).toMatch(/^row: row 11 \(z\) says that seal 2 has it/)
  })

  test('are not made so by a clock that jumps ahead and is put right within a day', async () => {
    for (const ahead of [4_000, 4_000.9]) {
      audit.setClock(START_MS + ahead * DAY_MS)
      for (const id of [`${ahead}`, `${ahead} again`]) {
        await audit.add(id)
        // Each seal by a process that has just started.
        await audit.seal()
      }
    }
    audit.setClock(START_MS + DAY_MS)
    await audit.seal()
    expect(await audit.verify()).toMatchObject({ seals: 7n, rows: 12, prunedThrough: 0n })
  })

  test('of before a jump of the clock go all the same', async () => {
    audit.setClock(START_MS + 4_000 * DAY_MS)
    await audit.add('ahead')
    await audit.seal()
    for (const day of [400, 402]) {
      audit.setClock(START_MS + day * DAY_MS)
      await audit.add(`${day}`)
      await audit.seal()
      await audit.seal()
    }
    expect(await audit.verify()).toMatchObject({ rows: 3, prunedThrough: 3n })
  })

  test('are not made so where the warehouse has another seal for a witness', async () => {
    audit.setClock(START_MS + 402 * DAY_MS)
    audit.change(`update audit_seals set newest_ms = ${START_MS + 400 * DAY_MS} where seal = 3`)
    await audit.add('i')
    await audit.seal()
    await audit.seal()
    expect(await audit.verify()).toMatchObject({ rows: 9, prunedThrough: 0n })
  })

  test('go where nothing is done for years, two days later, by an empty seal', async () => {
    audit.setClock(START_MS + 402 * DAY_MS)
    for (let round = 0; round < 3; round++) await audit.seal()
    expect(await audit.verify()).toMatchObject({ seals: 4n, rows: 8, prunedThrough: 0n })
    audit.setClock(START_MS + 403.5 * DAY_MS)
    for (let round = 0; round < 3; round++) await audit.seal()
    expect(await audit.verify()).toMatchObject({ seals: 5n, rows: 0, prunedThrough: 3n })
  })

  test('are not made so by a change of the catalog alone', async () => {
    audit.change('update audit_seals set newest_ms = 0, pruned_through = 2')
    audit.setClock(START_MS + 5 * DAY_MS)
    await audit.add('i')
    await audit.seal()
    expect((await audit.sealOf(4)).prunedThrough).toBe(0n)
    expect(await audit.deps.catalog.audit.list({ limit: 10 })).toHaveLength(9)
  })
})

test('nothing is sealed while a backup copies the catalog, and the seals later', async () => {
  await audit.add('i')
  const hold = await holdDeletions(audit.deps, new AbortController().signal)
  await audit.seal()
  expect(await audit.verify()).toMatchObject({ seals: 3n, unsealed: 1 })
  await hold?.release()
  await audit.seal()
  expect(await audit.verify()).toMatchObject({ seals: 4n, unsealed: 0 })
})

test('rows that were lost with the catalog are passed over where one says so', async () => {
  audit.change('delete from audit_rows', 'delete from audit_seals')
  await audit.add('i')
  await audit.seal()
  expect(await audit.verify()).toMatch(/^row: row 1 of seal 1 is missing/)
  expect(await audit.verify({ fromSeal: 4n })).toMatchObject({ seals: 4n, rows: 1 })
})
