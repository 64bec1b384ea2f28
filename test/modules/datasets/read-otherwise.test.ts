import { join } from 'node:path'
import type { DatasetFacts } from '../../../src/catalog/dataset-store.ts'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import type { Snapshot } from '../../../src/core/table/snapshot.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import type { Schema } from '../../../src/core/value/type.ts'
import {
  identityOf,
  identityOfSql,
  readingDigestsOf,
  requireSameReading,
} from '../../../src/modules/datasets/dataset-identity.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

let service: TestService
let snapshotId: string

const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'name', type: 'string', aliases: ['nm'] },
]

/** A table of a file without field ids, in which a column has its alias. */
beforeAll(async () => {
  service = await startTestService()
  await must(post(service, '/v1/tables', { name: 'moons', schema: { columns: COLUMNS } }), 201)
  const path = join(service.dataFolder, 'moons.parquet')
  await writeParquet(path, `SELECT i AS id, 'moon ' || i AS nm FROM range(4) t(i)`)
  await must(post(service, '/v1/tables/moons/files', { files: [{ path }] }))
  snapshotId = (await must(ask(service, '/v1/tables/moons/snapshots'))).snapshots[0].snapshot_id
})
afterAll(() => service.close())

const at = () => `snapshot_id=${snapshotId}`

async function makeEach(): Promise<Json[]> {
  const source = { table: 'moons', snapshot_id: snapshotId }
  const query = { source, columns: ['name'], filter: 'id < 2' }
  const sql = 'SELECT name FROM moons WHERE id < 2'
  const made: Json[] = []
  for (const wish of [{ source }, { query }, { sql }]) {
    const { status, body } = await post(service, '/v1/datasets', wish)
    made.push({ status, url: body.url })
  }
  return made
}

/** The name mapping of an Iceberg client: the file's column `nm` is none of the table's. */
async function mapNames(name: string): Promise<void> {
  const mapping = [
    { 'field-id': 1, names: ['id'] },
    { 'field-id': 2, names: [name] },
  ]
  const updates = { 'schema.name-mapping.default': JSON.stringify(mapping) }
  const wish = { requirements: [], updates: [{ action: 'set-properties', updates }] }
  await must(post(service, '/iceberg/v1/namespaces/default/tables/moons', wish))
}

async function namesIn({ url }: Json): Promise<string[]> {
  const { text } = await ask(service, `${url}/download?format=csv`)
  return text.trim().split('\n').slice(1)
}

test('nothing found of a snapshot is handed out once it is read by other names', async () => {
  const before = await makeEach()
  expect((await makeEach()).map(({ url }) => url)).toEqual(before.map(({ url }) => url))
  const statistics = () => must(ask(service, `/v1/tables/moons/columns/name/statistics?${at()}`))
  expect(await statistics()).toMatchObject({ rows: 4, nulls: 0 })
  const rows = `/v1/tables/moons/rows?limit=1&${at()}`
  const page = await must(ask(service, rows))
  expect((await ask(service, `${rows}&after=${page.next_page_token}`)).status).toBe(200)

  const { url } = before[0]
  const verify = () => must(post(service, `${url}/verify`, undefined))
  expect(await verify()).toMatchObject({ reproduced: true, differing: [] })
  await mapNames('label')

  expect(await verify()).toMatchObject({ reproduced: false, differing: [expect.any(String)] })
  expect(await statistics()).toMatchObject({ rows: 4, nulls: 4 })
  const next = await ask(service, `${rows}&after=${page.next_page_token}`)
  expect([next.status, next.body.type]).toEqual([400, '/problems/page-token-invalid'])
  const after = await makeEach()
  for (const [i, old] of before.entries()) {
    expect([i, after[i].status, after[i].url === old.url]).toEqual([i, 201, false])
    expect((await namesIn(old)).join()).toContain('moon 0')
    expect((await namesIn(after[i])).join()).not.toContain('moon')
  }
})

test('a dataset whose source has other names by now is reproduced if its rows are', async () => {
  const { url } = (await makeEach())[0]
  await mapNames('title')
  expect(await must(post(service, `${url}/verify`, undefined))).toMatchObject({
    ...{ reproduced: true, files: 1, differing: [] },
  })
})

test('a snapshot whose id is given again is another', () => {
  const definition = { tableUuid: 'u', properties: {} }
  const state = { definition } as unknown as TableState
  const schema: Schema = { schemaId: 1, fields: [], identifierFieldIds: [] }
  const of = (manifestList: string) => {
    const snapshot = { snapshotId: 7n, manifestList } as Snapshot
    return { state, snapshot, schema }
  }
  const [first, again] = [of('file:///a.avro'), of('file:///b.avro')]
  expect(identityOf(first, undefined)).not.toBe(identityOf(again, undefined))
  expect(identityOfSql('SELECT 1', [first])).not.toBe(identityOfSql('SELECT 1', [again]))
})

test('a column that is not read counts where an equality delete may be of it', () => {
  const field = (id: number, name: string) =>
    ({ id, name, required: false, type: { kind: 'string' } }) as const
  const schema: Schema = {
    schemaId: 1,
    fields: [field(1, 'a'), field(2, 'b')],
    identifierFieldIds: [],
  }
  const snapshot = { snapshotId: 7n, manifestList: 'file:///a.avro' } as Snapshot
  const reading = (name: string, deleteFiles: Partial<DataFile>[] = []) => {
    const mapping = [1, 2].map((id) => ({ 'field-id': id, names: [id === 1 ? 'a' : name] }))
    const properties = { 'schema.name-mapping.default': JSON.stringify(mapping) }
    const state = { definition: { tableUuid: 'u', properties } } as unknown as TableState
    const readAs = { ...schema, fields: schema.fields.slice(0, 1) }
    const files = [{ deleteFiles: deleteFiles as DataFile[] }]
    return [{ source: { state, snapshot, schema }, readAs, files }]
  }
  const dataset = { facts: readingDigestsOf(reading('b')) as DatasetFacts }
  const equality = [{ content: 'equality-deletes' as const }]
  for (const same of [reading('b'), reading('b', equality), reading('c')]) {
    expect(() => requireSameReading(dataset, same)).not.toThrow()
  }
  expect(() => requireSameReading(dataset, reading('c', equality))).toThrow('other rows')
})
