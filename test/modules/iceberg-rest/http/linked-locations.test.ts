import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, refusal, rest, SCHEMA, setProperties } from './rest-client.ts'

/** Two locations that are one folder: a purge by one name deletes the files of the other. */

let base: string
let service: TestService
let warehouse: string
beforeAll(async () => {
  base = await realpath(await mkdtemp(`${tmpdir()}/moraine-linked-`))
  await mkdir(`${base}/lake`)
  // An operator may give a link: it is resolved once.
  await symlink(`${base}/lake`, `${base}/given`)
  service = await startTestService({
    environment: { MORAINE_WRITABLE_LOCATIONS: `${base}/given` },
  })
  warehouse = `${service.home}/warehouse`
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
  await mkdir(`${warehouse}/real`, { recursive: true })
  await symlink(`${warehouse}/real`, `${warehouse}/link`)
  await symlink(`${base}/nowhere`, `${warehouse}/dangling`)
  await mkdir(`${warehouse}/inside`)
  await symlink(`${warehouse}/real`, `${warehouse}/inside/metadata`)
})
afterAll(async () => {
  await service.close()
  await rm(base, { recursive: true, force: true })
})

const tables = '/namespaces/a/tables'
const create = (name: string, more: object) =>
  rest(service, tables, { json: { name, schema: SCHEMA, ...more } })
const linked = () => [
  `file://${warehouse}/link`,
  `file://${warehouse}/link/below/deeper`,
  `file://${warehouse}/dangling`,
  `file://${warehouse}/inside`,
]

test('no table is made, moved or registered at a location that leads through a link', async () => {
  const made = await must(create('t', {}))
  const change = (update: object) =>
    rest(service, `${tables}/t`, { json: { requirements: [], updates: [update] } })
  const text = await readFile(fileURLToPath(made['metadata-location']), 'utf8')
  const columns = [{ name: 'n', type: 'long' }]
  for (const location of linked()) {
    const path = { 'write.metadata.path': location }
    const uuid = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
    const file = `${service.dataFolder}/00001-${uuid}.metadata.json`
    await writeFile(file, JSON.stringify({ ...JSON.parse(text), 'table-uuid': uuid, location }))
    const json = { name: 'r', 'metadata-location': `file://${file}` }
    for (const refused of [
      create('new', { location }),
      change({ action: 'set-location', location }),
      change(setProperties(path)),
      create('new', { properties: path }),
      rest(service, '/namespaces/a/register', { json }),
    ]) {
      expect([location, await refusal(refused)]).toMatchObject([location, { status: 403 }])
    }
    const body = { name: 'new', schema: { columns }, location }
    expect((await post(service, '/v1/tables', body)).status).toBe(403)
  }
  const { message } = await refusal(create('new', { location: `file://${warehouse}/link` }))
  expect(message).toContain(`leads through a link: give its own name, file://${warehouse}/real`)
})

test('a table may lie below a link that the operator gave', async () => {
  const location = `file://${base}/given/t2`
  expect((await must(create('t2', { location }))).metadata.location).toBe(location)
})
