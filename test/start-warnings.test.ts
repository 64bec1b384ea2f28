import { tmpdir } from 'node:os'
import { readConfig } from '../src/config.ts'
import { exposureWarnings, startWarnings, VARIABLES } from '../src/start-warnings.ts'

const warningsOf = (environment: Record<string, string>) =>
  startWarnings(readConfig(environment), environment)

test.each([
  ['MORAINE_PROT', 'MORAINE_PROT is not a setting and is ignored; did you mean MORAINE_PORT?'],
  [
    'MORAINE_ALLOWED_LOCATION',
    'MORAINE_ALLOWED_LOCATION is not a setting and is ignored; ' +
      'did you mean MORAINE_ALLOWED_LOCATIONS?',
  ],
  ['MORAINE_COLOUR_OF_LOG', 'MORAINE_COLOUR_OF_LOG is not a setting and is ignored'],
])('%s is told, with what may be meant', async (name, warning) => {
  expect(await warningsOf({ [name]: 'x' })).toEqual([warning])
})

test('an allowed folder that is not there is told, and no other', async () => {
  const warnings = await warningsOf({ MORAINE_ALLOWED_LOCATIONS: `${tmpdir()},/no/such/folder` })
  expect(warnings).toEqual([
    'MORAINE_ALLOWED_LOCATIONS has file:///no/such/folder, where no folder can be read',
  ])
})

test('a folder of export tasks that is not there is told where it is wanted', async () => {
  const told = [
    'there are no export tasks: /no/such/tasks is not a folder; make it, with a folder ',
  ]
  const sources = { MORAINE_EXPORT_SOURCES: 'crm=postgres://h/db' }
  for (const name of ['MORAINE_EXPORTS', 'DSL_PATH']) {
    const warnings = await warningsOf({ [name]: '/no/such/tasks', ...sources })
    expect(warnings).toEqual([`${told}for each task, or correct ${name}`])
  }
  expect(await warningsOf({ ...sources, MORAINE_HOME: '/no/such' })).toHaveLength(1)
  expect(await warningsOf({ ...sources, MORAINE_EXPORTS: tmpdir() })).toEqual([])
  expect(await warningsOf({ MORAINE_HOME: '/no/such' })).toEqual([])
})

test('every variable is known that a configuration is read from, and no more', async () => {
  const read: string[] = []
  const spied = new Proxy({}, { get: (_, name) => void read.push(String(name)) })
  readConfig(spied)
  // Those of an older service are nobody's mistake.
  const ofOthers = ['DATABASE_URL', 'DSL_PATH', 'EXPORT_PATH']
  expect([...new Set(read)].sort()).toEqual([...VARIABLES, ...ofOthers].sort())
  expect(await startWarnings(readConfig({}), { HOME: '/', PATH: '/bin' })).toEqual([])
})

test('an address that other machines reach is told with what that means', () => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
    expect(exposureWarnings({ host, auth: 'none' })).toEqual([])
  }
  for (const host of ['0.0.0.0', '::', '10.0.0.7', '127.example.org']) {
    expect(exposureWarnings({ host, auth: 'none' })).toEqual([
      expect.stringContaining(`MORAINE_HOST=${host} lets other machines in`),
    ])
  }
})
