import { ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService({
    environment: { MORAINE_INLINE_ROWS: '5', MORAINE_INLINE_FILES: '1' },
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

test('a setting bounds what comes in a response, and a table has its own', async () => {
  expect(await estimate(whole)).toMatchObject({ would: 'dataset' })
  expect(await query(whole)).toMatchObject({ status: 413 })
  expect(await query({ sql: 'SELECT * FROM sky' })).toMatchObject({ status: 413 })
  expect((await must(query({ ...whole, limit: 5 }))).rows.length).toBe(5)
  expect((await setProperties('sky', { 'moraine.inline.rows-max': '10' })).status).toBe(200)
  expect(await estimate(whole)).toMatchObject({ would: 'inline' })
  expect((await must(query(whole))).rows.length).toBe(10)
  expect((await must(query({ sql: 'SELECT * FROM sky' }))).rows.length).toBe(10)
  // Of two tables the least counts.
  const both = { sql: 'SELECT sky.id FROM sky, (SELECT count(*) AS c FROM sea)' }
  expect(await query(both)).toMatchObject({ status: 413 })
})

test('bytes and files are bounded, too', async () => {
  const few = { 'moraine.inline.rows-max': '10', 'moraine.inline.bytes-max': '20' }
  expect((await setProperties('sky', few)).status).toBe(200)
  const { status, body } = await query({ sql: 'SELECT * FROM sky' })
  expect([status, body.type]).toEqual([413, '/problems/result-too-large'])
  await setProperties('sky', { 'moraine.inline.bytes-max': '100000' })
  await makeTable(service, 'sky', [rows(1)])
  await setProperties('sky', { 'moraine.inline.rows-max': '100' })
  expect(await estimate(whole)).toMatchObject({ files: 2, would: 'dataset' })
  await setProperties('sky', { 'moraine.inline.files-max': '2' })
  expect(await estimate(whole)).toMatchObject({ files: 2, would: 'inline' })
})

test('a property that is no such number is refused at the commit', async () => {
  for (const value of ['0', 'many', '100001']) {
    const { status, text } = await setProperties('sky', { 'moraine.inline.rows-max': value })
    expect([value, status]).toEqual([value, 400])
    expect(text).toContain('moraine.inline.rows-max is a number from 1 to 100000')
  }
})
