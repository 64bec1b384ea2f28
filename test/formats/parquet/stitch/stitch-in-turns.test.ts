import type { ParquetFooter } from '../../../../src/formats/parquet/footer/footer-model.ts'
import { planStitch, StitchPlanner } from '../../../../src/formats/parquet/stitch/stitch.ts'
import { planStitchInTurns } from '../../../../src/formats/parquet/stitch/stitch-in-turns.ts'
import {
  ownStitchSchema,
  physicalSchemaKey,
} from '../../../../src/formats/parquet/stitch/stitch-schema.ts'
import { refusalOf } from '../../../refusal.ts'
import { type SampleNode, sampleFooter } from '../sample-file.ts'

const FILES = 5_000
const ROW_GROUPS = 2
const AT_ONCE = 16
const ITEMS = Array.from({ length: FILES }, (_, i) => i)

let footer: ParquetFooter
let other: ParquetFooter
beforeAll(async () => {
  const column: SampleNode = { name: 'a', physical: 'INT32' }
  const rowGroups = Array.from({ length: ROW_GROUPS }, (_, i) => ({
    rows: 3,
    chunks: [{ dataOffset: 4 + 10 * i }],
  }))
  footer = await sampleFooter({ columns: [column], rowGroups })
  other = await sampleFooter({ columns: [{ ...column, name: 'b' }], rowGroups })
})

function keyedPart(of: ParquetFooter) {
  return { footer: of, key: physicalSchemaKey(ownStitchSchema(of)) }
}

test('thousands of footers leave turns to others, a few decoded at a time', async () => {
  const { key } = keyedPart(footer)
  const planned = new Set<number>()
  const waiting = { now: 0, most: 0 }
  let turns = 0
  const plan = await planStitchInTurns(ITEMS, {
    atOnce: AT_ONCE,
    turn: () => {
      turns += 1
      return turns % 100 === 0 ? Promise.resolve() : undefined
    },
    read: async (item) => {
      waiting.now += 1
      waiting.most = Math.max(waiting.most, waiting.now)
      // Read last, when the part is in the plan.
      const noting = Object.defineProperty({ ...footer }, 'rowCount', {
        get: () => {
          if (!planned.has(item)) waiting.now -= 1
          planned.add(item)
          return footer.rowCount
        },
      })
      return { footer: noting, key }
    },
  })
  expect(planned.size).toBe(FILES)
  expect(waiting).toEqual({ now: 0, most: AT_ONCE })
  // Two for each file, one for each row group as it is planned, and one as it is written.
  expect(turns).toBeGreaterThan(FILES * (2 + 2 * ROW_GROUPS))
  expect(plan).toEqual(planStitch(ITEMS.map(() => ({ footer }))))
})

test.each([
  ['of another physical schema', () => keyedPart(other)],
  ['that cannot be copied', () => undefined],
])('a file %s leaves no plan, and the files after it are read', async (_, odd) => {
  const read: number[] = []
  let turns = 0
  const plan = await planStitchInTurns(ITEMS.slice(0, 50), {
    atOnce: AT_ONCE,
    turn: () => {
      turns += 1
      return undefined
    },
    read: async (item) => {
      read.push(item)
      return item === 20 ? odd() : keyedPart(footer)
    },
  })
  expect(plan).toBeUndefined()
  expect(read).toEqual(ITEMS.slice(0, 50))
  expect(turns).toBe(20 * (1 + ROW_GROUPS) + 50)
})

test('a failure to read ends it, when nothing is read any more', async () => {
  let reading = 0
  let begun = 0
  const plan = planStitchInTurns(ITEMS, {
    atOnce: AT_ONCE,
    turn: () => undefined,
    read: async (item) => {
      begun += 1
      reading += 1
      await new Promise((resolve) => setImmediate(resolve))
      reading -= 1
      if (item === 3) throw new Error('gone')
      return keyedPart(footer)
    },
  })
  await expect(plan).rejects.toThrow('gone')
  expect(reading).toBe(0)
  expect(begun).toBeLessThanOrEqual(3 + AT_ONCE)
})

test('a footer beyond its limit is refused as soon as it is', async () => {
  const planner = new StitchPlanner({ footerBytesMax: 1_000 })
  let parts = 0
  const { code, message } = refusalOf(() => {
    for (; parts < FILES; parts++) planner.add({ footer })
  })
  expect(code).toBe('not-implemented')
  expect(message).toContain('more than 1000 bytes')
  expect(parts).toBeLessThan(50)
  // Row groups that fit are joined by the schema, which does not.
  const [first = 0] = [planStitch([{ footer }]).tail.length - 8]
  const tight = new StitchPlanner({ footerBytesMax: first - 1 })
  tight.add({ footer })
  expect(refusalOf(() => tight.finish()).code).toBe('not-implemented')
  const exact = new StitchPlanner({ footerBytesMax: first })
  exact.add({ footer })
  expect(exact.finish().tail.length).toBe(first + 8)
})

test('the signal of the turns ends it between two row groups', async () => {
  let turns = 0
  const plan = planStitchInTurns(ITEMS, {
    atOnce: AT_ONCE,
    turn: () => {
      turns += 1
      if (turns === 10) throw new Error('stopped')
      return undefined
    },
    read: async () => keyedPart(footer),
  })
  await expect(plan).rejects.toThrow('stopped')
  expect(turns).toBe(10)
})
