import { readFile } from 'node:fs/promises'
import { Lake } from '../lake.ts'
import { openWorkshop } from '../workshop.ts'
import { type RaceOutcome, RIVALS, race } from './purge-race.ts'

const ROUNDS = 12

let lake: Lake
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())

test.each(RIVALS)('no acknowledged %s names a file that a purge deletes', async (rival) => {
  const shop = await openWorkshop()
  try {
    const another = await shop.another()
    const bytes = await readFile(await lake.numbers(shop, 'a'))
    const outcomes: RaceOutcome[] = []
    for (let i = 0; i < ROUNDS; i++) {
      const other = i % 2 === 0 ? shop.deps : another
      const purgeAfterMs = (i % 6) * 2
      outcomes.push(
        await race({ ...{ purger: shop.deps, other, rival, bytes, name: `${i}`, purgeAfterMs } }),
      )
    }
    expect(outcomes.filter(({ isAcknowledged, isThere }) => isAcknowledged && !isThere)).toEqual([])
    const refusals = outcomes.flatMap(({ refusal = [] }) => refusal)
    const allowed = ['file-being-deleted', 'file-not-found', 'table-not-found']
    expect(refusals.filter((code) => !allowed.includes(code))).toEqual([])
  } finally {
    await shop.close()
  }
})
