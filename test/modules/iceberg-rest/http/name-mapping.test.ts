import { NAME_MAPPING_PROPERTY } from '../../../../src/core/table-properties.ts'
import { ask, must as mustV1 } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { writeParquet } from '../../../parquet-files.ts'
import { must, refusal, rest, setProperties } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const at = (name: string) => `/namespaces/default/tables/${name}`
const change = (name: string, ...updates: object[]) =>
  rest(service, at(name), { json: { requirements: [], updates } })
const create = (name: string) =>
  mustV1(
    ask(service, '/v1/tables', {
      json: {
        name,
        schema: {
          columns: [
            { name: 'a', type: 'long' },
            { name: 'b', type: 'long' },
          ],
        },
      },
    }),
    201,
  )
const addFile = async (name: string, file: string) => {
  const path = await writeParquet(
    `${service.dataFolder}/${file}.parquet`,
    'SELECT 1::BIGINT AS a, 2::BIGINT AS b',
  )
  return ask(service, `/v1/tables/${name}/files`, { json: { files: [{ path }] } })
}
const dumpOf = (name: string) => ask(service, `/v1/tables/${name}/dump?format=csv`)

const NO_MAPPINGS = [
  'nonsense',
  '{}',
  'null',
  '[1]',
  '[{"field-id":1,"names":"a"}]',
  '[{"field-id":1,"names":[2]}]',
  '[{"field-id":"1","names":["a"]}]',
  '[{"field-id":1,"names":["a"],"fields":3}]',
  '[{"field-id":1,"names":["a"]},{"field-id":2,"names":["a"]}]',
  '[{"field-id":1,"names":["a"]},{"names":["b","a"]}]',
  '[{"field-id":1,"names":["a"]},{"field-id":1,"names":["b"]}]',
  '[{"names":["a"],"fields":[{"field-id":1,"names":["x"]},{"field-id":2,"names":["x"]}]}]',
]

test.each(NO_MAPPINGS)('the property is refused when it is no mapping: %s', async (text) => {
  const name = `t${NO_MAPPINGS.indexOf(text)}`
  await create(name)
  const before = await must(rest(service, at(name)))
  const bad = { [NAME_MAPPING_PROPERTY]: text }
  const refused = await refusal(change(name, setProperties({ ...bad, fine: '1' })))
  expect(refused).toMatchObject({ status: 400, type: 'BadRequestException' })
  expect(refused.message).toMatch(NAME_MAPPING_PROPERTY)
  expect(await must(rest(service, at(name)))).toEqual(before)
  const schema = before.metadata.schemas[0]
  const born = rest(service, '/namespaces/default/tables', {
    json: { name: `${name}_born`, schema, properties: bad },
  })
  expect((await refusal(born)).message).toMatch(NAME_MAPPING_PROPERTY)
  await must(change(name, setProperties({ [NAME_MAPPING_PROPERTY]: '[]' })))
})

test.each(['{"no":1}', '[{"field-id":1,"names":["a"]},{"field-id":2,"names":["a"]}]'])(
  'a table that has it already is told of it by name, and can be put right: %s',
  async (text) => {
    const old = `old${text.length}`
    const { table_id: tableUuid } = await create(old)
    await mustV1(addFile(old, old))
    // As a table that was made before this was looked at.
    const { tables } = service.deps.catalog
    const state = await tables.find({ tableUuid })
    if (state === undefined) throw new Error('there is no table')
    const properties = { ...state.definition.properties, [NAME_MAPPING_PROPERTY]: text }
    const next = {
      ...state,
      version: state.version + 1,
      definition: { ...state.definition, properties },
    }
    const commit = { expectedVersion: state.version, state: next, newSnapshots: [] }
    const tableCommit = { ...commit, newLogEntries: [], addedPaths: [] }
    await tables.commit({ tables: [tableCommit], transactions: [] })

    for (const answer of [await dumpOf(old), await addFile(old, `${old}-more`)]) {
      expect(answer.status).toBe(422)
      expect(answer.body).toMatchObject({
        type: '/problems/table-property-invalid',
        property: NAME_MAPPING_PROPERTY,
      })
    }
    await mustV1(ask(service, `/v1/tables/${old}`))
    await must(change(old, setProperties({ other: '1' })))
    await must(change(old, { action: 'remove-properties', removals: [NAME_MAPPING_PROPERTY] }))
    expect((await dumpOf(old)).text).toBe('a,b\n1,2\n')
  },
)

test('a column that the mapping leaves out is NULL, whatever the file calls its own', async () => {
  await create('left_out')
  await mustV1(addFile('left_out', 'left'))
  const mapping = JSON.stringify([{ 'field-id': 1, names: ['a'] }])
  await must(change('left_out', setProperties({ [NAME_MAPPING_PROPERTY]: mapping })))
  expect((await dumpOf('left_out')).text).toBe('a,b\n1,\n')
})
