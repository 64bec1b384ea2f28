import { CatalogError } from '../../../src/core/errors.ts'
import { COMMIT_ATTEMPTS_MAX } from '../../../src/core/limits.ts'
import { readDescription } from '../../../src/core/table-properties.ts'
import { LostRace, onNewest } from '../../../src/lake/commit/on-newest.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import {
  createTable,
  describeTable,
  readTable,
  rollbackTable,
} from '../../../src/modules/tables/tables.ts'
import { refusal } from '../../refusal.ts'
import { append, Lake, liveNames } from '../lake.ts'
import { commitFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop, type WorkshopDependencies } from '../workshop.ts'

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

type Outcome = 'accepted' | 'refused'

/**
 * Appends and changes of the definition of one table, all begun at once; each process has every
 * other round.
 */
async function storm(
  processes: readonly WorkshopDependencies[],
  rounds: number,
): Promise<Record<'files' | 'keys' | 'columns', Outcome[]>> {
  const paths = await Promise.all(
    Array.from({ length: rounds }, (_, i) => lake.numbers(shop, `f${i}`, i * 10)),
  )
  const begun = paths.map((path, i) => {
    const deps = processes[i % processes.length] as WorkshopDependencies
    const column = { name: `c${i}`, type: 'long' }
    return {
      file: outcomeOf(commitFiles(deps, { table: 't', paths: [path] })),
      key: outcomeOf(describeTable(deps, 't', { metadata: { [`key${i}`]: i } })),
      column: outcomeOf(evolveTable(deps, 't', { changes: [{ op: 'add', column }] })),
    }
  })
  return {
    files: await Promise.all(begun.map(({ file }) => file)),
    keys: await Promise.all(begun.map(({ key }) => key)),
    columns: await Promise.all(begun.map(({ column }) => column)),
  }
}

/** Anything but a change that lost every one of its attempts fails the test. */
async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work
    return 'accepted'
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    expect(error.code).toBe('overloaded')
    expect(error.facts).toHaveProperty('attempts')
    return 'refused'
  }
}

/** The table has what was accepted, all of it and nothing else. */
async function expectAccepted({ files, keys, columns }: Awaited<ReturnType<typeof storm>>) {
  const accepted = (outcomes: readonly Outcome[], prefix: string) =>
    outcomes.flatMap((outcome, i) => (outcome === 'accepted' ? [`${prefix}${i}`] : [])).sort()
  expect(await liveNames(shop, 't')).toEqual(accepted(files, 'f'))
  const { schema, state } = await readTable(shop.deps, { table: 't' })
  expect(schema.fields.map(({ name }) => name).sort()).toEqual([...accepted(columns, 'c'), 'n'])
  const { metadata } = readDescription(state.definition.properties)
  expect(Object.keys(metadata).sort()).toEqual(accepted(keys, 'key'))
}

test('a storm of appends and definition changes in one process loses no race', async () => {
  const outcomes = await storm([shop.deps], 40)
  expect(Object.values(outcomes).flat()).not.toContain('refused')
  await expectAccepted(outcomes)
  expect(shop.meter.counts['retried']).toBeUndefined()
})

test('with two processes, each change is made once and none is refused', async () => {
  const outcomes = await storm([shop.deps, await shop.another()], 40)
  expect(Object.values(outcomes).flat()).not.toContain('refused')
  await expectAccepted(outcomes)
  const { retried = 0 } = shop.meter.counts
  // After the first lost race they take turns.
  expect(retried).toBeGreaterThan(0)
  expect(retried).toBeLessThanOrEqual(2 * 40)
})

test('a rollback takes its turn, too', async () => {
  const first = await append(shop, 't', await lake.numbers(shop, 'a'))
  const paths = await Promise.all([1, 2, 3].map((i) => lake.numbers(shop, `b${i}`, i * 10)))
  await Promise.all([
    ...paths.map((path) => commitFiles(shop.deps, { table: 't', paths: [path] })),
    rollbackTable(shop.deps, 't', { snapshotIdentifier: String(first) }),
  ])
  expect(shop.meter.counts['retried']).toBeUndefined()
})

test('the pauses between attempts grow up to a bound and are jittered', async () => {
  const pauses: number[] = []
  const ambient = { sleep: async (ms: number) => void pauses.push(ms), random: () => 0.5 }
  const meter = { commitRetried: () => undefined }
  let attempts = 0
  const attempt = async () => (++attempts < 10 ? new LostRace() : attempts)
  expect(await onNewest({ ambient, meter }, attempt)).toBe(10)
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 50, 50, 50])
})

test('a change that loses for too long is told to come again: it never conflicts', async () => {
  const ambient = { sleep: async () => undefined, random: () => 0 }
  let retried = 0
  const meter = { commitRetried: () => retried++ }
  const options = { raceMsMax: 50 }
  const attempt = async () => new LostRace({ tableUuid: 'u' })
  const { code, facts } = await refusal(onNewest({ ambient, meter }, attempt, options))
  expect(code).toBe('overloaded')
  expect(facts).toEqual({ tableUuid: 'u', attempts: retried, retryAfterSeconds: 1 })
  expect(retried).toBeGreaterThan(COMMIT_ATTEMPTS_MAX)
})

test('a change of slow attempts has three: the later ones have a turn', async () => {
  const ambient = { sleep: async () => undefined, random: () => 0 }
  const meter = { commitRetried: () => undefined }
  const attempt = async () => new LostRace()
  const { facts } = await refusal(onNewest({ ambient, meter }, attempt, { raceMsMax: 0 }))
  expect(facts).toEqual({ attempts: 3, retryAfterSeconds: 1 })
})

test('the last lost race of a commit of Iceberg REST is a conflict that tells it', async () => {
  const ambient = { sleep: async () => undefined, random: () => 0 }
  let retried = 0
  const attempt = async () => new LostRace({ tableUuid: 'u' })
  const { code, facts } = await refusal(
    onNewest({ ambient, meter: { commitRetried: () => retried++ } }, attempt, { isConflict: true }),
  )
  expect(code).toBe('commit-conflict')
  expect(facts).toEqual({ tableUuid: 'u', attempts: COMMIT_ATTEMPTS_MAX })
  expect(retried).toBe(COMMIT_ATTEMPTS_MAX)
})
