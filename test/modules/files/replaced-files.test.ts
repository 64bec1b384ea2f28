import { readFile, rename, utimes, writeFile } from 'node:fs/promises'
import { DUMP_FORMATS } from '../../../src/modules/dumps/format/dump-index.ts'
import { type Answer, ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql } from '../../parquet-files.ts'
import { writeTask } from '../exports/export-harness.ts'

/** Files that are replaced by others of equal size and as many rows, which no dump remembers. */

/** All files are rewritten. */
const CONVERSION = { op: 'type', name: 'i', type: 'double' }

let service: TestService
let tables = 0
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

/** Two files of equal size and as many rows; the first has other values. */
async function twins(name: string): Promise<{ path: string; other: Buffer; bytes: Buffer }> {
  const path = `${service.dataFolder}/${name}.parquet`
  const [bytes, other] = await Promise.all(
    ['a', 'b'].map(async (least) => {
      const rows = `(VALUES (1::BIGINT, '${least}'), (2, 'm'), (3, 'z')) AS t(i, s)`
      const made = `${path}.${least}`
      await querySql(`COPY (FROM ${rows}) TO '${made}' (FORMAT parquet, COMPRESSION uncompressed)`)
      return readFile(made)
    }),
  )
  if (bytes === undefined || other === undefined) throw new Error('nothing was written')
  expect(other.length).toBe(bytes.length)
  await writeFile(path, bytes)
  return { path, other, bytes }
}

/** Overwrites a file in place, as with another time of modification. */
async function replace(path: string, bytes: Buffer): Promise<void> {
  await writeFile(`${path}.new`, bytes)
  const later = new Date(Date.now() + 60_000)
  await utimes(`${path}.new`, later, later)
  await rename(`${path}.new`, path)
}

/** A table of one such file, and the dataset of it. */
async function makeTable() {
  const name = `t${++tables}`
  const file = await twins(name)
  const { path } = file
  await must(post(service, '/v1/tables', { name, infer_from: path }), 201)
  await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))
  await must(post(service, '/v1/datasets', { name: `d${name}`, source: { table: name } }), 201)
  return { name, ...file }
}

const add = (name: string, path: string) =>
  must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }))

const csvOf = async (name: string) =>
  (await ask(service, `/v1/tables/${name}/dump?format=csv`)).text.split('\n').slice(1, -1)

type Reader = (name: string, before: string) => Promise<Answer>

const at = (name: string) => `/v1/tables/${name}`
const READERS: Record<string, Reader> = {
  rows: (name) => ask(service, `${at(name)}/rows`),
  'a query': (name) => post(service, '/v1/query', { source: { table: name }, columns: ['s'] }),
  SQL: (name) => post(service, '/v1/query', { sql: `SELECT max(s) AS s FROM ${name}` }),
  statistics: (name) => ask(service, `${at(name)}/columns/s/statistics`),
  'rows that differ': (name, before) => ask(service, `${at(name)}/diff?rows=true&from=${before}`),
  'a dataset of the table': (name) => ask(service, `/v1/datasets/d${name}/1/download?format=csv`),
  'a dataset of a query': (name) =>
    post(service, '/v1/datasets', {
      ...{ name: `q${name}`, query: { source: { table: name }, filter: 'i > 1' } },
    }),
  'a clone': async (name) => {
    const { status } = await ask(service, `${at(name)}_clone`)
    if (status === 404) {
      await must(post(service, `${at(name)}/clone`, { name: `${name}_clone` }), 201)
    }
    return ask(service, `${at(name)}_clone/rows`)
  },
  ...Object.fromEntries(
    DUMP_FORMATS.map((format): [string, Reader] => [
      `a dump as ${format}`,
      // Bytes come as soon as there are any; this waits for all.
      (name) => ask(service, `${at(name)}/dump.sha256?format=${format}`),
    ]),
  ),
  // Last: from then on the table has another file.
  'a change of type that rewrites': (name) =>
    post(service, `${at(name)}/schemas`, { changes: [CONVERSION] }),
}

test('whoever reads refuses a file of other content, and takes one of equal bytes', async () => {
  const { name, path, other, bytes } = await makeTable()
  const [{ snapshot_id: before }] = (
    await must(post(service, `/v1/tables/${name}/files/truncate`, {}))
  ).results
  await add(name, path)
  await add(name, (await twins(`${name}-unchanged`)).path)
  await replace(path, other)
  for (const [reader, read] of Object.entries(READERS)) {
    const { status, body } = await read(name, before)
    expect([reader, status, body]).toMatchObject([
      reader,
      410,
      { type: '/problems/data-file-changed', path: `file://${path}` },
    ])
    expect(body.detail).toContain(path)
  }
  await replace(path, bytes)
  for (const [reader, read] of Object.entries(READERS)) {
    const { status, text } = await read(name, before)
    expect([reader, text, status < 300]).toEqual([reader, text, true])
  }
})

test.each([
  ['one after the other', false],
  ['in one transaction', true],
])('a file that is removed and added again is served: %s', async (_, isOne) => {
  const { name, path, other } = await makeTable()
  await replace(path, other)
  expect((await ask(service, `/v1/tables/${name}/rows`)).status).toBe(410)
  const remove = { files: [{ path }] }
  if (isOne) {
    const { transaction_id: transaction } = await must(
      post(service, '/v1/transactions/start', {}),
      201,
    )
    const inIt = { transaction_id: transaction }
    await must(post(service, `/v1/tables/${name}/files/remove`, { ...remove, ...inIt }))
    await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }], ...inIt }))
    await must(post(service, '/v1/transactions/commit', inIt))
  } else {
    await must(post(service, `/v1/tables/${name}/files/remove`, remove))
    await add(name, path)
  }
  expect(await csvOf(name)).toEqual(['1,b', '2,m', '3,z'])
})

test('a table that is dropped and registered again knows its files', async () => {
  const { name, path, other, bytes } = await makeTable()
  const table = `/iceberg/v1/namespaces/default/tables/${name}`
  const { 'metadata-location': location } = (await (
    await fetch(service.url + table)
  ).json()) as Json
  const dropped = await fetch(service.url + table, { method: 'DELETE' })
  expect(dropped.status).toBe(204)
  await replace(path, other)
  const registered = await fetch(`${service.url}/iceberg/v1/namespaces/default/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, 'metadata-location': location }),
  })
  expect(registered.status).toBe(200)
  const { status, body } = await ask(service, `/v1/tables/${name}/rows`)
  expect([status, body]).toMatchObject([410, { path: `file://${path}` }])
  await replace(path, bytes)
  expect(await csvOf(name)).toEqual(['1,a', '2,m', '3,z'])
})

test('what the service wrote itself is known, too', async () => {
  const name = `t${++tables}`
  const columns = [
    { name: 'i', type: 'long' },
    { name: 's', type: 'string' },
  ]
  await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  const upload = async (raw: string) => {
    const headers = { 'Content-Type': 'text/csv' }
    const options = { method: 'POST', headers, raw: `i,s\n${raw}\n` }
    return must(ask(service, `/v1/tables/${name}/files`, options), 201)
  }
  const expectRefused = async (): Promise<void> => {
    const [{ path }] = (await must(ask(service, `/v1/tables/${name}`))).data_files
    const file = path.replace('file://', '')
    const kept = await readFile(file)
    const other = Buffer.from(kept)
    // In the footer: the least value of `s`.
    other.write('aaab', other.lastIndexOf('aaaa'))
    expect(other.equals(kept)).toBe(false)
    await replace(file, other)
    const { status, body } = await ask(service, `/v1/tables/${name}/rows`)
    expect([status, body]).toMatchObject([410, { path }])
    await replace(file, kept)
    expect((await ask(service, `/v1/tables/${name}/rows`)).status).toBe(200)
  }
  await upload('1,aaaa')
  await expectRefused()
  const changes = [CONVERSION]
  await must(post(service, `/v1/tables/${name}/schemas`, { changes }))
  await expectRefused()
})

test('an export of the table fails, and removes nothing', async () => {
  const { name, path, other } = await makeTable()
  await writeTask(`${service.home}/exports`, name, {
    'task.json': { source: 'moraine', table: `default.${name}`, where: 'i < 100' },
  })
  await replace(path, other)
  await post(service, `/exports/${name}`, {})
  const [run] = (await must(ask(service, `/v1/exports/${name}/runs`))).runs
  expect(JSON.stringify(run)).toContain('data-file-changed')
  expect((await must(ask(service, `/v1/tables/${name}`))).totals.records).toBe(3)
})
