import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import type { Engine } from '../../../src/engine/engine.ts'
import { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { Waiters } from '../../../src/lake/jobs/waiters.ts'
import { askForDump, dumpJob } from '../../../src/modules/dumps/dump-job.ts'
import { dumpedFiles, stopDumpsOfDropped } from '../../../src/modules/dumps/dump-sweep.ts'
import { Dumps } from '../../../src/modules/dumps/dumps.ts'
import { DumpSpace } from '../../../src/modules/dumps/space/dump-space.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { eventually } from '../../engine/children.ts'
import { withEngine } from '../../lake/failing-disk.ts'
import { append } from '../../lake/lake.ts'
import { querySql } from '../../parquet-files.ts'
import { type DumpShop, finished, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

const MB = 1_000_000

let shop: DumpShop
beforeEach(async () => {
  shop = await openDumpShop({ bytesMax: 20 * MB })
})
afterEach(() => shop.close())

/** A table of 24 KB whose texts are 2 GB. */
async function openBlown(name: string): Promise<void> {
  await createTable(shop.deps, { name, columns: [{ name: 'a', type: 'string' }] })
  const path = join(shop.dataFolder, `${name}.parquet`)
  const rows = `SELECT repeat('x', 50000) AS a FROM range(40960)`
  await querySql(`COPY (${rows}) TO '${path}' (COMPRESSION zstd, ROW_GROUP_SIZE 2048)`)
  await append(shop, name, path)
}

async function leftovers(): Promise<readonly string[]> {
  const found = [...(await readdir(shop.deps.converter.options.folder))]
  for await (const { location } of shop.deps.objects.list(`${shop.deps.warehouse}/.dumps`)) {
    found.push(location)
  }
  return found
}

function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it was made',
    (error: unknown) => error,
  )
}

describe('a dump of more bytes than all dumps may have', () => {
  test.each([
    ['csv', 'none'],
    ['csv', 'gzip'],
    ['arrow', 'none'],
  ] as const)(
    'is stopped as it is written, and leaves nothing: %s, %s',
    async (format, compression) => {
      await openBlown('t')
      let finishedBytes = 0
      const { engine } = shop.deps.converter.options
      const exporting: Engine['export'] = async (job, options) => {
        const result = await engine.export(job, options)
        finishedBytes += result.bytes
        return result
      }
      const deps = withEngine(shop.deps, { export: exporting })
      const dumps = new Dumps(deps, { keepNewest: 3, bytesMax: 20 * MB })
      const target = await shop.target('t', { format, compression })
      const failure = await failureOf(finished(dumps, target))
      expect(failure).toMatchObject({
        code: 'dump-too-large',
        message: expect.stringContaining('MORAINE_DUMP_BUDGET'),
        facts: { bytesMax: 20 * MB },
      })
      expect(finishedBytes).toBe(0)
      expect(await leftovers()).toEqual([])
      await dumps.close()
    },
  )

  test('is refused at once the next time, also as a job, which says why', async () => {
    await openBlown('t')
    const target = await shop.target('t')
    const failure = await failureOf(finished(shop.dumps, target))
    expect(await failureOf(shop.dumps.open(target))).toBe(failure)
    expect(await shop.dumps.state(target)).toEqual({ state: 'failed', error: failure })
    const jobs = new Jobs(shop.deps, new Waiters())
    jobs.start({ kinds: [dumpJob(shop.deps, shop.dumps)], pollMs: 10 })
    const { jobId } = await askForDump(jobs, target, 'ada')
    const signal = new AbortController().signal
    const job = await jobs.waitForEnd(jobId, { waitMs: 60_000, signal })
    expect(job).toMatchObject({ state: 'failed', problem: { code: 'dump-too-large' } })
    expect(shop.counting.exports).toBe(1)
    await jobs.close()
  })

  test('counts what earlier dumps have made of it, and takes none of theirs', async () => {
    await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    const [first, second] = ['a', 'b'].map((name) => join(shop.dataFolder, `${name}.parquet`))
    for (const path of [first, second]) {
      await querySql(`COPY (SELECT range AS n FROM range(1000)) TO '${path}'`)
    }
    await append(shop, 't', first ?? '')
    const dumps = new Dumps(shop.deps, { keepNewest: 3, bytesMax: 6_000 })
    const before = await shop.target('t')
    await finished(dumps, before)
    await append(shop, 't', second ?? '')
    const failure = await failureOf(finished(dumps, await shop.target('t')))
    expect(failure).toMatchObject({ code: 'dump-too-large' })
    expect(await dumps.find(before)).toMatchObject({ rowCount: 1000 })
    await dumps.close()
  })
})

describe('a table that is dropped', () => {
  async function dropWhileDumped(purge: 'now' | false) {
    shop = await openDumpShop()
    await openBlown('t')
    const target = await shop.target('t')
    const making = finished(shop.dumps, target)
    making.catch(() => undefined)
    await eventually(async () => shop.counting.exports > 0)
    await dropTable(shop.deps, 't', { purge })
    return { tableUuid: target.state.definition.tableUuid, making }
  }

  test('ends its dumps in the making before a purge takes what they have made', async () => {
    await shop.close()
    const { tableUuid, making } = await dropWhileDumped('now')
    await dumpedFiles(shop.deps, shop.dumps).forget(tableUuid)
    expect(await failureOf(making)).toMatchObject({ code: 'table-not-found' })
    expect(await leftovers()).toEqual([])
  })

  test('ends them in all processes, which learn of it', async () => {
    await shop.close()
    const { making } = await dropWhileDumped(false)
    const consumer = stopDumpsOfDropped(shop.deps, shop.dumps)
    const page = { after: 0n, types: consumer.events, limit: 10 }
    const { events } = await shop.deps.catalog.events.list(page)
    await consumer.handle(events, new AbortController().signal)
    expect(await failureOf(making)).toMatchObject({ code: 'table-not-found' })
    expect(await leftovers()).toEqual([])
  })
})

describe('dumps in the making', () => {
  function openSpace(bytesMax: number) {
    const stopped: [string, unknown][] = []
    let growths = 0
    const space = new DumpSpace({ bytesMax, onGrowth: () => growths++ })
    const begin = (name: string) => space.begin((reason) => stopped.push([name, reason]))
    return { space, begin, stopped, growths: () => growths }
  }

  test('count together: the last to begin has to wait for the others', () => {
    const { begin, stopped, space } = openSpace(100)
    const [first, second] = [begin('first'), begin('second')]
    second.beginConversion({ isPlain: true }).onWrite(60)
    expect(stopped).toEqual([])
    first.beginConversion({ isPlain: true }).onWrite(50)
    expect(stopped).toEqual([['second', expect.objectContaining({ code: 'overloaded' })]])
    space.end(second)
    first.beginConversion({ isPlain: true }).onWrite(40)
    expect(stopped).toHaveLength(1)
    expect(space.workingBytes).toBe(90)
  })

  test('have room made for them while they grow', () => {
    const { begin, growths } = openSpace(160)
    const conversion = begin('one').beginConversion({ isPlain: true })
    conversion.onWrite(9)
    expect(growths()).toBe(0)
    for (const bytes of [11, 12, 19, 21]) conversion.onWrite(bytes)
    expect(growths()).toBe(2)
  })

  test('are too large by what is in them, not by what conversions keep beside it', () => {
    const { begin, stopped } = openSpace(100)
    const own = begin('one')
    const [left, right] = [1, 2].map(() => own.beginConversion({ isPlain: false }))
    left?.onWrite(60)
    right?.onWrite(60)
    left?.end()
    right?.end()
    own.addShard(30, { isNew: true })
    own.addShard(40, { isNew: false })
    expect(stopped).toEqual([])
    own.addShard(40, { isNew: true })
    expect(stopped).toEqual([['one', expect.objectContaining({ code: 'dump-too-large' })]])
  })
})
