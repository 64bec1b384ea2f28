import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { readConfig } from '../../../src/config.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { openPlatform, type Platform } from '../../../src/service.ts'
import { type Answer, ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeTask } from '../exports/export-harness.ts'

/** What lasts stands at its first look at a data file until the gate is opened. */
class Gate {
  #open: () => void = () => undefined
  #isReached: () => void = () => undefined
  #opened: Promise<void> = Promise.resolve()
  reached: Promise<void> = Promise.resolve()

  close(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
    this.reached = new Promise((resolve) => {
      this.#isReached = resolve
    })
  }

  open(): void {
    this.#open()
  }

  wrap(objects: ObjectStore): ObjectStore {
    const reads = new Set<unknown>(['find', 'findLocalPath', 'read', 'readRange', 'readTail'])
    return new Proxy(objects, {
      get: (store, name) => {
        const method: unknown = Reflect.get(store, name)
        if (typeof method !== 'function') return method
        if (!reads.has(name)) return method.bind(store)
        return async (...args: readonly unknown[]) => {
          if (String(args[0]).includes('/data/')) {
            this.#isReached()
            await this.#opened
          }
          return method.apply(store, args)
        }
      },
    })
  }
}

const gate = new Gate()
let service: TestService
/** Another process, which purges and runs no jobs. */
let other: Platform
beforeAll(async () => {
  service = await startTestService({ wrapObjects: (objects) => gate.wrap(objects) })
  other = await openPlatform(readConfig({ MORAINE_HOME: service.home }))
})
afterAll(async () => {
  await other.close()
  await service.close()
})

/** A table with two snapshots of a file each, below its location. */
async function make(name: string): Promise<{ readonly files: readonly string[] }> {
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'n', type: 'long' },
  ]
  const table = await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  for (const text of ['id,n\n1,1\n2,2\n', 'id,n\n3,3\n']) {
    const headers = { 'Content-Type': 'text/csv' }
    const upload = { method: 'POST', headers, raw: text }
    await must(ask(service, `/v1/tables/${name}/files`, upload), 201)
  }
  const folder = `${table.location.replace('file://', '')}/data`
  const names = await readdir(folder, { recursive: true })
  const files = names.filter((each) => each.endsWith('.parquet')).map((each) => `${folder}/${each}`)
  expect(files).toHaveLength(2)
  return { files }
}

interface LongReader {
  readonly kind: string
  /** That of the table unless it is told. */
  readonly name?: string
  /** Before the gate is closed. */
  readonly prepare?: (table: string) => Promise<unknown>
  read(table: string): Promise<Answer>
  /**
   * What it comes to, though its table is dropped while it reads. A dump is whole, or gone: what
   * was made for a table that is not there any more is removed.
   */
  readonly status: number | readonly number[]
  /** In the answer. */
  readonly text?: string
}

const get = (path: string) => ask(service, path)
const datasetOf = (table: string) => {
  const query = { source: { table }, filter: 'id <> 2' }
  return post(service, '/v1/datasets', { name: `of_${table}`, query })
}

/** All of them: the compiler finds a new one (`Conversion.held`, `QueriedTable.held`). */
const READERS: Readonly<Record<string, LongReader>> = {
  'the rows of a page': {
    ...{ kind: 'query', status: 200, text: '"n":3' },
    read: (table) => get(`/v1/tables/${table}/rows`),
  },
  'a query': {
    ...{ kind: 'query', status: 200, text: '3,3' },
    read: (table) =>
      post(service, '/v1/query?format=csv', { source: { table }, columns: ['id', 'n'] }),
  },
  'a query in SQL': {
    ...{ kind: 'query', status: 200, text: '6' },
    read: (table) => post(service, '/v1/query?format=csv', { sql: `SELECT sum(n) FROM ${table}` }),
  },
  'the statistics of a column': {
    ...{ kind: 'query', status: 200, text: '"rows"' },
    read: (table) => get(`/v1/tables/${table}/columns/n/statistics`),
  },
  'the rows that differ': {
    ...{ kind: 'query', status: 200, text: 'insert' },
    read: async (table) => {
      const { snapshots } = await must(get(`/v1/tables/${table}/snapshots`))
      const from = snapshots.at(-1).snapshot_id
      return get(`/v1/tables/${table}/diff?from=${from}&rows=true`)
    },
  },
  'a dump of text': {
    ...{ kind: 'dump', status: [200, 404] },
    read: (table) => get(`/v1/tables/${table}/dump?format=csv`),
  },
  'a dump of Parquet': {
    ...{ kind: 'dump', status: [200, 404] },
    read: (table) => get(`/v1/tables/${table}/dump?format=parquet`),
  },
  'a dump of Arrow': {
    ...{ kind: 'dump', status: [200, 404] },
    read: (table) => get(`/v1/tables/${table}/dump?format=arrow`),
  },
  'a dataset in the making': {
    ...{ kind: 'dataset', name: 'of_dataset', status: 201 },
    read: datasetOf,
  },
  'the verification of a dataset': {
    ...{ kind: 'dataset', name: 'of_verified', status: 200, text: '"reproduced":true' },
    prepare: (table) => must(datasetOf(table), 201),
    read: (table) => post(service, `/v1/datasets/of_${table}/1/verify`, undefined),
  },
  'a column that gets another type': {
    ...{ kind: 'rewrite', status: 404 },
    read: (table) => {
      const changes = [{ op: 'type', name: 'n', type: 'double' }]
      return post(service, `/v1/tables/${table}/schemas`, { changes })
    },
  },
  'an export that keeps the rows': {
    ...{ kind: 'export', name: 'keeps', status: 200 },
    prepare: (table) => taskOf('keeps', { table, mode: 'keep' }),
    read: () => post(service, '/exports/keeps', {}),
  },
  'an export that removes them': {
    ...{ kind: 'export', name: 'removes', status: 404 },
    prepare: (table) => taskOf('removes', { table }),
    read: () => post(service, '/exports/removes', {}),
  },
}

function taskOf(name: string, more: object): Promise<unknown> {
  const json = { source: 'moraine', where: 'true', ...more }
  return writeTask(`${service.home}/exports`, name, { 'task.json': json })
}

test.each(Object.keys(READERS))('while it is read, a purge waits, and names: %s', async (title) => {
  const reader = READERS[title] as LongReader
  const table = reader.name?.replace('of_', '') ?? `t${Object.keys(READERS).indexOf(title)}`
  const { files } = await make(table)
  await reader.prepare?.(table)
  gate.close()
  const reading = reader.read(table)
  try {
    await gate.reached
    const { holders } = await dropTable(other, table, { purge: 'now' })
    const told = holders.map(({ kind, name, files: held }) => [kind, name, held])
    expect(told).toContainEqual([
      reader.kind,
      reader.name ?? `default.${table}`,
      expect.any(Number),
    ])
    expect(files.map((file) => existsSync(file))).toEqual([true, true])
  } finally {
    gate.open()
  }
  const { status, text } = await reading
  expect([reader.status].flat()).toContain(status)
  expect(text).toContain(reader.text ?? '')
  expect(await other.catalog.holds.list(Date.now())).toEqual([])
  const nowMs = () => Date.now() + 2 * 3_600_000
  await unlinkDue({ ...other, ambient: { ...other.ambient, nowMs } })
  expect(files.map((file) => existsSync(file))).toEqual([false, false])
})
