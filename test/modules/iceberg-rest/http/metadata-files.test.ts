import { rename } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, refused, rest, SCHEMA, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['sky'] } }))
})
afterAll(() => service.close())

const create = (name: string) =>
  must(rest(service, '/namespaces/sky/tables', { json: { name, schema: SCHEMA } }))
const load = (name: string, headers: Record<string, string> = {}) =>
  rest(service, `/namespaces/sky/tables/${name}`, { headers })
const change = (name: string, properties: Record<string, string>) =>
  must(
    rest(service, `/namespaces/sky/tables/${name}`, {
      json: { requirements: [], updates: [setProperties(properties)] },
    }),
  )

test('the metadata log names as many earlier files as the table says', async () => {
  const made = await create('logged')
  const locations = [made['metadata-location']]
  for (const step of ['1', '2', '3', '4']) {
    locations.push((await change('logged', { step }))['metadata-location'])
  }
  const brief = await change('logged', { 'write.metadata.previous-versions-max': '2' })
  const files = (table: { 'metadata-file': string }[]) => table.map((e) => e['metadata-file'])
  expect(files(brief.metadata['metadata-log'])).toEqual(locations.slice(-2))
  for (const odd of ['0', '-7', 'many', '2.5', '1e9']) {
    const { metadata } = await change('logged', { 'write.metadata.previous-versions-max': odd })
    expect(metadata['metadata-log'].length).toBeGreaterThanOrEqual(1)
  }
})

test('a lost metadata file is a 404, even for those who have the table already', async () => {
  await create('moved')
  const answer = await load('moved')
  const location = answer.body['metadata-location']
  const headers = { 'if-none-match': String(answer.headers.get('etag')) }
  expect((await load('moved', headers)).status).toBe(304)
  const path = fileURLToPath(location)
  await rename(path, `${path}.away`)
  const gone = [404, 'NotFoundException', `Failed to open input stream for file: ${location}`]
  expect(await refused(load('moved', headers))).toEqual(gone)
  expect(await refused(load('moved'))).toEqual(gone)
  await rename(`${path}.away`, path)
  expect((await load('moved', headers)).status).toBe(304)
})
