import { CatalogError } from '../../../src/core/errors.ts'
import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import { registerTable, unregisterTable } from '../../../src/modules/iceberg-rest/register-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { changed } from '../../lake/failing-disk.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'

const T = { namespace: ['default'], name: 't' }
const CALL = {
  keeper: KEEPS_NOTHING,
  authorize: async () => undefined,
  requirePaths: () => undefined,
}
const AWAY = new CatalogError('storage-unavailable', 'the store does not answer')

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

test('what fails after a registration is not told as a refusal', async () => {
  const { metadataLocation } = await unregisterTable(shop.deps, T, KEEPS_NOTHING)
  const objects = changed(shop.deps.objects, {
    find: (location) =>
      location === metadataLocation ? Promise.reject(AWAY) : shop.deps.objects.find(location),
  })
  const json = { name: 't', 'metadata-location': metadataLocation }
  const registering = registerTable(
    { ...shop.deps, objects },
    { namespace: T.namespace, json },
    CALL,
  )
  expect(await refusal(registering)).toMatchObject({ code: 'commit-state-unknown', cause: AWAY })
  expect(await shop.deps.catalog.tables.find(T)).toBeDefined()
})

test('what fails after a drop is not told as a refusal', async () => {
  const namer = {
    kind: 'dump',
    async *namedFor() {},
    forget: () => Promise.reject(AWAY),
  }
  const deps = { ...shop.deps, deleteGraceMs: 0, fileNamers: () => [namer] }
  const dropping = dropTable(deps, 'default.t', { purge: 'now' })
  expect(await refusal(dropping)).toMatchObject({ code: 'commit-state-unknown', cause: AWAY })
  expect(await shop.deps.catalog.tables.find(T)).toBeUndefined()
})
