import { readFileSync } from 'node:fs'
import { withFields } from '../../../src/formats/parquet/stitch/thrift-edit.ts'
import { THRIFT } from '../../../src/formats/parquet/thrift/thrift.ts'
import { editColumns } from '../../formats/parquet/edited-footer.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeParquet } from '../../parquet-files.ts'

/** A field of ColumnMetaData. */
const STATISTICS = 12

let service: TestService
let tables = 0
let name: string
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())
beforeEach(async () => {
  name = `long${++tables}`
  const schema = { columns: [{ name: 'k', type: 'string' }] }
  const partitioning = [{ column: 'k', transform: 'identity' }]
  await must(post(service, '/v1/tables', { name, schema, partitioning }), 201)
})

function upload(raw: string | Buffer, type: string): Promise<Json> {
  return ask(service, `/v1/tables/${name}/files`, { raw, headers: { 'Content-Type': type } })
}

/** A file whose statistics say that all its rows have this text. */
async function provedFile(text: string): Promise<string> {
  const path = await writeParquet(`${service.dataFolder}/${name}.parquet`, "SELECT 'q' AS k")
  const bound = (id: number) => ({ id, type: THRIFT.BINARY, value: Buffer.from(text) })
  const exact = (id: number) => ({ id, type: THRIFT.TRUE, value: true })
  const nulls = { id: 3, type: THRIFT.I64, value: 0n }
  const value = { fields: [nulls, bound(5), bound(6), exact(7), exact(8)] }
  editColumns(path, (column) =>
    withFields(column, [{ id: STATISTICS, type: THRIFT.STRUCT, value }]),
  )
  return path
}

async function requireRefused(answer: Json, code: string): Promise<void> {
  expect([answer.status, answer.body.type]).toEqual([422, `/problems/${code}`])
  expect(answer.body.detail).toMatch(/at most 16384 are taken: partition by truncate or bucket/)
  expect(answer.text.length).toBeLessThan(3_000)
  const { totals } = await must(ask(service, `/v1/tables/${name}`))
  expect(totals.data_files).toBe(0)
}

test('a partition value that statistics prove is refused where it is too long', async () => {
  const path = await provedFile('x'.repeat(20_000))
  await requireRefused(await upload(readFileSync(path), PARQUET), 'file-unsupported')
  const files = { files: [{ path }] }
  await requireRefused(await post(service, `/v1/tables/${name}/files`, files), 'file-unsupported')
})

const PARQUET = 'application/vnd.apache.parquet'

test.each([
  ['of one partition', `k\n${'x'.repeat(20_000)}\n`],
  ['of several', `k\n${'x'.repeat(20_000)}\nq\n`],
])('a text upload %s is refused for such a value, too', async (_, text) => {
  await requireRefused(await upload(text, 'text/csv'), 'file-spans-partitions')
})

test('many long values that are taken make a table that can be read', async () => {
  const texts = Array.from({ length: 300 }, (_, i) => `${i}${'x'.repeat(16_000)}`)
  await must(upload(`k\n${texts.join('\n')}\n`, 'text/csv') as never, 201)
  const { totals } = await must(ask(service, `/v1/tables/${name}`))
  expect(totals.data_files).toBe(300)
  const dump = await ask(service, `/v1/tables/${name}/dump?format=csv`)
  expect(dump.text.split('\n')).toHaveLength(302)
})
