import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuckDbEngine } from '../../src/engine/duckdb.ts'
import { WorkerPool } from '../../src/engine/worker-pool.ts'

const SETTINGS = { memoryBytes: 384 * 1024 * 1024, jobTimeoutMs: 60_000, queueMax: 100 }

/** Work that begins in its turn and ends when it is told to; what has begun, in order. */
function pretended(processes: number) {
  const pool = new WorkerPool({ ...SETTINGS, processes, folder: tmpdir() })
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const works: Promise<void>[] = []
  return {
    begun,
    begin: (name: string) => {
      const use = () => {
        begun.push(name)
        return new Promise<void>((resolve) => ends.set(name, resolve))
      }
      works.push(pool.inTurn({ isLong: name.startsWith('long') }, use))
      return turns()
    },
    end: (name: string) => {
      ends.get(name)?.()
      return turns()
    },
    finish: async () => {
      for (const _ of works) {
        for (const end of ends.values()) end()
        await turns()
      }
      await Promise.all(works)
      await pool.close()
    },
  }
}

/** Until all that can begin has begun. */
const turns = () => new Promise((done) => setImmediate(done))

test('long work leaves a place to the rest, and waits in its order', async () => {
  const { begun, begin, end, finish } = pretended(2)
  await begin('long 1')
  await begin('long 2')
  await begin('long 3')
  await begin('short 1')
  await begin('short 2')
  expect(begun).toEqual(['long 1', 'short 1'])
  await end('short 1')
  expect(begun).toEqual(['long 1', 'short 1', 'short 2'])
  await end('short 2')
  expect(begun).toEqual(['long 1', 'short 1', 'short 2'])
  await end('long 1')
  expect(begun).toEqual(['long 1', 'short 1', 'short 2', 'long 2'])
  await finish()
  expect(begun.at(-1)).toBe('long 3')
})

test('with one place, all work has it in the order of the calls', async () => {
  const { begun, begin, end, finish } = pretended(1)
  for (const name of ['long 1', 'long 2', 'short 1']) await begin(name)
  expect(begun).toEqual(['long 1'])
  await end('long 1')
  await end('long 2')
  expect(begun).toEqual(['long 1', 'long 2', 'short 1'])
  await finish()
})

test('many kinds of work are all done, however they end', async () => {
  const pool = new WorkerPool({ ...SETTINGS, processes: 3, folder: tmpdir() })
  let running = 0
  let most = 0
  const works = Array.from({ length: 60 }, (_, i) =>
    pool.inTurn({ isLong: i % 2 === 0 }, async () => {
      most = Math.max(most, ++running)
      await turns()
      running--
      if (i % 5 === 0) throw new Error('ends badly')
    }),
  )
  const outcomes = await Promise.allSettled(works)
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(12)
  expect(most).toBe(3)
  await pool.close()
})

test('a large upload is long work, a small one is not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-turns-'))
  const asked: (boolean | undefined)[] = []
  const inTurn = WorkerPool.prototype.inTurn
  WorkerPool.prototype.inTurn = async ({ isLong }) => {
    asked.push(isLong)
    throw new Error('not in this test')
  }
  try {
    const engine = await openDuckDbEngine({
      ...{ ...SETTINGS, processes: 2, temporaryFolder: folder },
    })
    for (const bytes of [10, 40 * 1024 * 1024]) {
      const path = join(folder, `${bytes}.csv`)
      await writeFile(path, '')
      await truncate(path, bytes)
      const schema = { schemaId: 0, fields: [], identifierFieldIds: [] }
      const job = { path, format: 'csv', schema, targetPath: join(folder, 'x') } as const
      await expect(engine.ingest(job)).rejects.toThrow('not in this test')
    }
    await engine.close()
  } finally {
    WorkerPool.prototype.inTurn = inTurn
    await rm(folder, { recursive: true, force: true })
  }
  expect(asked).toEqual([false, true])
})
