import { jest } from '@jest/globals'
import type { JobOptions } from '../../../src/engine/engine.ts'
import { DumpProgress } from '../../../src/modules/dumps/dump-progress.ts'
import { Dumps } from '../../../src/modules/dumps/dumps.ts'
import type { DumpIndex, DumpPiece } from '../../../src/modules/dumps/format/dump-index.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { withEngine } from '../../lake/failing-disk.ts'
import { append, Lake } from '../../lake/lake.ts'
import { START_MS } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { bytesOf, type DumpShop, finished, openDumpShop, type Process } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await append(shop, 't', ...(await files('a', 'b', 'c')))
})
afterEach(() => shop.close())

function files(...names: string[]): Promise<string[]> {
  return Promise.all(names.map((name) => lake.numbers(shop, name)))
}

async function follow(opened: DumpIndex | DumpProgress): Promise<readonly DumpPiece[]> {
  if (!(opened instanceof DumpProgress)) return opened.pieces
  const pieces: DumpPiece[] = []
  for await (const piece of opened.follow()) pieces.push(piece)
  return pieces
}

/** The same process, whose engine waits at each export until it may go on. */
function withGate({ deps }: Pick<Process, 'deps'>) {
  let open: () => void = () => undefined
  let arrive: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const { engine } = deps.converter.options
  const gated = withEngine(deps, {
    export: async (job, options?: JobOptions) => {
      arrive()
      await gate
      return engine.export(job, options)
    },
  })
  const dumps = new Dumps(gated, { keepNewest: 3 })
  return { dumps, open: () => open(), arrived }
}

test('fifty requests at once start one export, and each gets every piece in order', async () => {
  const target = await shop.target('t')
  const opened = await Promise.all(Array.from({ length: 50 }, () => shop.dumps.open(target)))
  const followed = await Promise.all(opened.map(follow))
  expect(shop.counting.exports).toBe(3)
  const index = await finished(shop.dumps, target)
  for (const pieces of followed) expect(pieces).toEqual(index.pieces)
  expect((await bytesOf(shop.deps, index)).toString().split('\n').length).toBe(32)
})

test('two processes make one dump: the second waits, and finds it', async () => {
  const other = await shop.anotherDumps()
  const target = await shop.target('t')
  const indexes = await Promise.all([
    finished(shop.dumps, target),
    finished(other.dumps, target),
    finished(shop.dumps, target),
  ])
  expect(shop.counting.exports + other.counting.exports).toBe(3)
  expect(new Set(indexes.map(({ sha256 }) => sha256)).size).toBe(1)
})

test('a failure reaches all followers, and the next request tries again', async () => {
  const { engine } = shop.deps.converter.options
  const ill = { isIll: true }
  const deps = withEngine(shop.deps, {
    export: (job, options) =>
      ill.isIll ? Promise.reject(new Error('the engine is ill')) : engine.export(job, options),
  })
  const dumps = new Dumps(deps, { keepNewest: 3 })
  const target = await shop.target('t')
  expect(await dumps.state(target)).toEqual({ state: 'absent' })
  const opened = await Promise.all(Array.from({ length: 20 }, () => dumps.open(target)))
  const outcomes = await Promise.allSettled(opened.map(follow))
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']))
  expect(await dumps.state(target)).toMatchObject({ state: 'failed' })
  expect(await dumps.find(target)).toBeUndefined()
  ill.isIll = false
  expect((await finished(dumps, target)).rowCount).toBe(30)
  expect(await dumps.state(target)).toMatchObject({ state: 'ready' })
  await dumps.close()
})

test('who loses the lease gives up, and what the other made stands', async () => {
  const other = await shop.anotherDumps()
  const target = await shop.target('t')
  const slow = withGate(shop)
  const losing = slow.dumps.open(target)
  await slow.arrived
  const progress = (await losing) as DumpProgress
  expect(await slow.dumps.state(target)).toMatchObject({ state: 'running' })
  shop.setClock(START_MS + 3_600_000)
  const index = await finished(other.dumps, target)
  slow.open()
  expect((await refusal(progress.done)).code).toBe('overloaded')
  expect(await finished(slow.dumps, target)).toEqual(index)
  await bytesOf(shop.deps, index)
  await slow.dumps.close()
})

test('a lease that a dead process held is taken over when it expires', async () => {
  const target = await shop.target('t')
  const slow = withGate(shop)
  const abandoned = slow.dumps.open(target)
  await slow.arrived
  const other = await shop.anotherDumps()
  const waiting = finished(other.dumps, target)
  const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 200))])
  expect(first).toBeUndefined()
  shop.setClock(START_MS + 11_000)
  expect((await waiting).rowCount).toBe(30)
  slow.open()
  await ((await abandoned) as DumpProgress).done.catch(() => undefined)
  await slow.dumps.close()
})

test('closing stops a build, and leaves no dump', async () => {
  const target = await shop.target('t')
  const slow = withGate(shop)
  const progress = (await slow.dumps.open(target)) as DumpProgress
  await slow.arrived
  const closed = slow.dumps.close()
  slow.open()
  await closed
  expect((await refusal(progress.done)).code).toBe('overloaded')
  expect(await shop.dumps.find(target)).toBeUndefined()
  expect((await finished(shop.dumps, target)).rowCount).toBe(30)
})

test('pieces can be read while later ones are being made', async () => {
  const names = Array.from({ length: 6 }, (_, i) => `more-${i}`)
  await append(shop, 't', ...(await files(...names)))
  const progress = (await shop.dumps.open(await shop.target('t'))) as DumpProgress
  let rows = 0
  for await (const piece of progress.follow()) {
    for await (const _chunk of shop.deps.objects.readStream(
      piece.location,
      piece.offset,
      piece.lengthBytes,
    )) {
      rows += piece.rowCount
    }
  }
  expect(rows).toBe(90)
  expect((await progress.done).rowCount).toBe(90)
})
