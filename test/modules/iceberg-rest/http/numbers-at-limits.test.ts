import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import { ask, must as mustPlain, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { writeParquet } from '../../../parquet-files.ts'
import { type Json, must, type RestAnswer, refusal, rest } from './rest-client.ts'

const LAST = 2n ** 63n - 1n
const LAST_ID = 2 ** 31 - 1
const END_OF_TIME = 253_402_300_799_999

let service: TestService
let folder: string
let snapshot: Json
/** The metadata of a table with one snapshot and a partition field. */
let metadata: Json
let number = 0

beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['default'] } }))
  await writeParquet(`${service.dataFolder}/n.parquet`, 'SELECT 1::BIGINT AS n')
  await mustPlain(
    post(service, '/v1/tables', {
      name: 'made',
      schema: { columns: [{ name: 'n', type: 'long' }] },
      partitioning: [{ column: 'n', transform: 'identity' }],
    }),
    201,
  )
  const files = [{ path: `file://${service.dataFolder}/n.parquet` }]
  await mustPlain(post(service, '/v1/tables/made/files', { files }))
  const made = await must(rest(service, '/namespaces/default/tables/made'))
  folder = made['metadata-location'].replace(/[^/]+$/, '')
  metadata = made.metadata
  snapshot = metadata.snapshots[0]
  await mustPlain(ask(service, '/v1/tables/made', { method: 'DELETE' }))
})
afterAll(() => service.close())

async function register(name: string, changed: object): Promise<RestAnswer> {
  number += 1
  const location = `${folder}0000${number}-by-hand.metadata.json`
  await writeFile(fileURLToPath(location), stringifyExactJson({ ...metadata, ...changed }))
  return rest(service, '/namespaces/default/register', {
    json: { name, 'metadata-location': location },
  })
}

const ofSnapshot = (changed: object) => () => ({ snapshots: [{ ...snapshot, ...changed }] })
const inLast = (list: string, changed: object) => () => ({
  [list]: metadata[list].map((each: object) => ({ ...each, ...changed })),
})
const highest = { 'last-sequence-number': LAST }
const version3 = { 'format-version': 3, 'next-row-id': 1 }

test.each<[field: string, changed: () => object]>([
  ['last-sequence-number', () => highest],
  ['last-sequence-number', () => ({ 'last-sequence-number': 2n ** 62n + 1n })],
  ['sequence-number', () => ({ ...ofSnapshot({ 'sequence-number': LAST })(), ...highest })],
  ['sequence-number', ofSnapshot({ 'sequence-number': -1 })],
  ['next-row-id', () => ({ 'format-version': 3, 'next-row-id': LAST })],
  ['first-row-id', () => ({ ...version3, ...ofSnapshot({ 'first-row-id': LAST })() })],
  [
    'added-rows',
    () => ({ ...version3, ...ofSnapshot({ 'first-row-id': 1, 'added-rows': LAST })() }),
  ],
  ['last-updated-ms', () => ({ 'last-updated-ms': END_OF_TIME })],
  ['last-updated-ms', () => ({ 'last-updated-ms': 2n ** 53n })],
  ['last-updated-ms', () => ({ 'last-updated-ms': -1 })],
  ['timestamp-ms', ofSnapshot({ 'timestamp-ms': END_OF_TIME })],
  ['timestamp-ms', ofSnapshot({ 'timestamp-ms': -1 })],
  ['timestamp-ms', ofSnapshot({ 'timestamp-ms': 9_007_199_254_740_993n })],
  ['timestamp-ms', inLast('snapshot-log', { 'timestamp-ms': END_OF_TIME })],
  ['timestamp-ms', inLast('metadata-log', { 'timestamp-ms': END_OF_TIME })],
  ['snapshot-id', ofSnapshot({ 'snapshot-id': 2n ** 63n })],
  ['schema-id', ofSnapshot({ 'schema-id': 2 ** 31 })],
  ['last-column-id', () => ({ 'last-column-id': LAST_ID })],
  ['last-partition-id', () => ({ 'last-partition-id': LAST_ID })],
  [
    'schema-id',
    () => ({ ...inLast('schemas', { 'schema-id': LAST_ID })(), 'current-schema-id': LAST_ID }),
  ],
  [
    'spec-id',
    () => ({ ...inLast('partition-specs', { 'spec-id': LAST_ID })(), 'default-spec-id': LAST_ID }),
  ],
  [
    'order-id',
    () => ({
      'sort-orders': [{ 'order-id': LAST_ID, fields: [] }],
      'default-sort-order-id': LAST_ID,
    }),
  ],
  ['last-column-id', () => ({ schemas: schemasWithId(LAST_ID) })],
  ['min-snapshots-to-keep', () => ({ refs: { main: { ...main(), 'min-snapshots-to-keep': -1 } } })],
  [
    'min-snapshots-to-keep',
    () => ({ refs: { main: { ...main(), 'min-snapshots-to-keep': LAST } } }),
  ],
  ['max-ref-age-ms', () => ({ refs: { main: { ...main(), 'max-ref-age-ms': -1 } } })],
])('a table whose %s is at its limit is refused by that name (%#)', async (field, changed) => {
  const { status, message } = await refusal(register('at_limit', changed()))
  expect([status, message]).toEqual([400, expect.stringContaining(field)])
  expect(message).not.toContain('undefined')
})

function main() {
  return metadata.refs.main
}

function schemasWithId(id: number) {
  const [schema] = metadata.schemas
  const more = { id, name: 'more', required: false, type: 'long' }
  return [{ ...schema, fields: [...schema.fields, more] }]
}

test('just below every limit a table is registered, committed to, and changed', async () => {
  const later = 253_370_764_799_999 - 1_000
  const sequence = 2n ** 62n - 100n
  const id = 2_000_000_000 - 100
  const near = {
    'last-sequence-number': sequence,
    'last-updated-ms': later,
    'last-column-id': id,
    'last-partition-id': id,
    ...ofSnapshot({ 'sequence-number': sequence, 'timestamp-ms': later })(),
    refs: { main: { ...main(), 'max-snapshot-age-ms': LAST } },
  }
  await must(register('near', near))
  await writeParquet(`${service.dataFolder}/m.parquet`, 'SELECT 2::BIGINT AS n')
  const files = [{ path: `file://${service.dataFolder}/m.parquet` }]
  await mustPlain(post(service, '/v1/tables/near/files', { files }))
  const change = { op: 'add', column: { name: 'more', type: 'long' } }
  await mustPlain(post(service, '/v1/tables/near/schemas', { changes: [change] }))
  const read = await must(rest(service, '/namespaces/default/tables/near'))
  expect(read.metadata['last-sequence-number']).toBe(sequence + 1n)
  expect(read.metadata['last-column-id']).toBe(id + 1)
  expect(read.metadata['last-updated-ms']).toBe(later + 2)
  expect((await mustPlain(ask(service, '/v1/tables/near'))).totals.records).toBe(2)
  await mustPlain(ask(service, '/v1/tables/near', { method: 'DELETE' }))
})

test('a last id behind what is taken is put right, so that no id is given twice', async () => {
  await must(register('behind', { schemas: schemasWithId(7), 'last-column-id': 1 }))
  const change = { op: 'add', column: { name: 'third', type: 'long' } }
  await mustPlain(post(service, '/v1/tables/behind/schemas', { changes: [change] }))
  const { metadata: now } = await must(rest(service, '/namespaces/default/tables/behind'))
  const fields = now.schemas.at(-1).fields as readonly { id: number; name: string }[]
  expect(fields.map(({ id, name }) => [id, name])).toEqual([
    [1, 'n'],
    [7, 'more'],
    [8, 'third'],
  ])
  await mustPlain(ask(service, '/v1/tables/behind', { method: 'DELETE' }))
})

test('row ids of a registered table go on above those of its snapshots', async () => {
  const lineage = { 'first-row-id': 40, 'added-rows': 7 }
  const behind = { ...version3, ...ofSnapshot(lineage)() }
  const registered = await must(register('lineage', behind))
  expect(registered.metadata['next-row-id']).toBe(47)
})
