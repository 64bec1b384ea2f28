import { ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({
    environment: { MORAINE_INLINE_ROWS: '5', MORAINE_INLINE_FILES: '2' },
  })
  await makeTable(service, 'sky', [rows(10)])
  await makeTable(service, 'sea', [rows(3)])
})
afterAll(() => service.close())

function setProperties(table: string, updates: Record<string, string>) {
  return ask(service, `/iceberg/v1/namespaces/default/tables/${table}`, {
    method: 'POST',
    json: { requirements: [], updates: [{ action: 'set-properties', updates }] },
  })
}

function query(json: object, inline = 'inline=require') {
  return ask(service, `/v1/query?${inline}`, { method: 'POST', json })
}

function estimate(json: object): Promise<Json> {
  return must(ask(service, '/v1/query/estimate', { method: 'POST', json }))
}

const whole = { source: { table: 'sky' } }

test('a setting bounds what comes in a response, and a table lets less come', async () => {
  expect(await estimate(whole)).toMatchObject({ would: 'dataset' })
  expect(await query(whole)).toMatchObject({ status: 413 })
  expect(await query({ sql: 'SELECT * FROM sky' })).toMatchObject({ status: 413 })
  const five = { ...whole, limit: 5 }
  expect((await must(query(five))).rows.length).toBe(5)
  expect((await setProperties('sky', { 'moraine.inline.rows-max': '4' })).status).toBe(200)
  expect(await query(five)).toMatchObject({ status: 413 })
  expect((await must(query({ ...whole, limit: 4 }))).rows.length).toBe(4)
  // Of two tables the least counts.
  const both = { sql: 'SELECT sky.id FROM sky, (SELECT count(*) AS c FROM sea) LIMIT 5' }
  expect(await query(both)).toMatchObject({ status: 413 })
})

test('no property of a table lifts the limit of a setting', async () => {
  const many = { rows: '100000', bytes: '67108864', files: '1000' }
  const updates = Object.entries(many).map(([name, max]) => [`moraine.inline.${name}-max`, max])
  expect((await setProperties('sky', Object.fromEntries(updates))).status).toBe(200)
  expect(await estimate(whole)).toMatchObject({ would: 'dataset' })
  expect(await query(whole)).toMatchObject({ status: 413 })
  expect(await query({ sql: 'SELECT * FROM sky' })).toMatchObject({ status: 413 })
})

test('bytes and files are bounded, too', async () => {
  await makeTable(service, 'two', [rows(3)])
  const two = { source: { table: 'two' } }
  expect((await setProperties('two', { 'moraine.inline.bytes-max': '20' })).status).toBe(200)
  const { status, body } = await query({ sql: 'SELECT * FROM two' })
  expect([status, body.type]).toEqual([413, '/problems/result-too-large'])
  await setProperties('two', { 'moraine.inline.bytes-max': '100000' })
  expect(await estimate(two)).toMatchObject({ files: 1, would: 'inline' })
  await makeTable(service, 'two', [rows(1)])
  expect(await estimate(two)).toMatchObject({ files: 2, would: 'inline' })
  await setProperties('two', { 'moraine.inline.files-max': '1' })
  expect(await estimate(two)).toMatchObject({ files: 2, would: 'dataset' })
})

test('a property that is no such number is refused at the commit', async () => {
  for (const value of ['0', 'many', '100001']) {
    const { status, text } = await setProperties('sky', { 'moraine.inline.rows-max': value })
    expect([value, status]).toEqual([value, 400])
    expect(text).toContain('moraine.inline.rows-max is a number from 1 to 100000')
  }
})
