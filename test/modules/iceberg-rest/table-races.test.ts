import type { Catalog } from '../../../src/catalog/catalog.ts'
import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import { droppedBy } from '../../../src/lake/table/drop-mark.ts'
import {
  commitTable,
  commitTransactionOfTables,
} from '../../../src/modules/iceberg-rest/commit-tables.ts'
import { createTable } from '../../../src/modules/iceberg-rest/create-table.ts'
import { getRestTable, loadTable } from '../../../src/modules/iceberg-rest/load-table.ts'
import { registerTable, unregisterTable } from '../../../src/modules/iceberg-rest/register-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import type { Platform } from '../../../src/service.ts'
import { describeOnBoth, Replicas } from '../../lake/replicas.ts'
import { SCHEMA } from './http/rest-client.ts'

const NAMESPACE = ['sky']
const T = { namespace: NAMESPACE, name: 't' }
const CALL = {
  keeper: KEEPS_NOTHING,
  authorize: async () => undefined,
  requirePaths: () => undefined,
}

let replicas: Replicas
let one: Platform
let other: Platform

const create = (deps: Platform, name = 't') =>
  createTable(deps, { namespace: NAMESPACE, json: { name, schema: SCHEMA } }, KEEPS_NOTHING)
const drop = (deps: Platform) => dropTable(deps, 'sky.t', { purge: false })
const setOwner = (deps: Platform, owner: string) =>
  commitTable(deps, { name: T, json: setting(owner) }, CALL)
const setting = (owner: string) => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: { owner } }],
})
const creation = (more: object = {}) => ({
  ...more,
  requirements: [{ type: 'assert-create' }],
  updates: [
    { action: 'add-schema', schema: SCHEMA },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
    { action: 'set-default-spec', 'spec-id': -1 },
  ],
})
async function loaded(deps: Platform) {
  const found = await loadTable(deps, await getRestTable(deps, T), 'all')
  if (found === undefined) throw new Error('the table is gone')
  return found
}

/** The same, but what others do comes before each call of the store's method, in order. */
function before<N extends 'tables', M extends keyof Catalog[N]>(
  deps: Platform,
  { store, method }: { readonly store: N; readonly method: M },
  ...steps: readonly (() => Promise<unknown>)[]
): Platform {
  const left = [...steps]
  const real = deps.catalog[store]
  const proxy = new Proxy(real, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...given: unknown[]) => {
        if (name === method) await left.shift()?.()
        return value.apply(target, given)
      }
    },
  })
  return { ...deps, catalog: { ...deps.catalog, [store]: proxy } }
}
const nothing = async () => undefined

describeOnBoth(() => replicas.sqlite, describeRaces)

function describeRaces(newCatalog: () => Promise<string>): void {
  beforeEach(async () => {
    replicas = await Replicas.open()
    const catalog = await newCatalog()
    one = (await replicas.add(catalog)).deps
    other = (await replicas.add(catalog)).deps
    await one.catalog.namespaces.create({ levels: NAMESPACE, properties: {} })
  })
  afterEach(() => replicas.close())

  test('what is committed while a table is unregistered is in the metadata returned', async () => {
    await create(one)
    const raced = before(one, { store: 'tables', method: 'drop' }, () => setOwner(other, 'late'))
    const { metadataLocation } = await unregisterTable(raced, T, KEEPS_NOTHING)
    const json = { name: 't', 'metadata-location': metadataLocation }
    const { state } = await registerTable(other, { namespace: NAMESPACE, json }, CALL)
    expect(state.definition.properties).toMatchObject({ owner: 'late' })
  })

  test('a table that is made while another is registered over its name is replaced', async () => {
    await create(one)
    const { metadataLocation, state } = await unregisterTable(one, T, KEEPS_NOTHING)
    const raced = before(one, { store: 'tables', method: 'create' }, () => create(other))
    const json = { name: 't', 'metadata-location': metadataLocation, overwrite: true }
    await registerTable(raced, { namespace: NAMESPACE, json }, CALL)
    expect((await loaded(other)).state.definition.tableUuid).toBe(state.definition.tableUuid)
  })

  test('a creation by commit whose rival is dropped again is not refused', async () => {
    for (const commit of [
      (deps: Platform) => commitTable(deps, { name: T, json: creation() }, CALL),
      (deps: Platform) =>
        commitTransactionOfTables(deps, { 'table-changes': [creation({ identifier: T })] }, CALL),
    ]) {
      const rival = before(one, { store: 'tables', method: 'create' }, () => create(other))
      // Looked for before the creation, then after it was refused; the next look finds nothing.
      const raced = before(
        rival,
        { store: 'tables', method: 'find' },
        ...[nothing, nothing, () => drop(other)],
      )
      await commit(raced)
      expect((await loaded(one)).state.definition.properties).toEqual({})
      await drop(one)
    }
  })

  test('a table that is registered while its drop is being marked is not marked', async () => {
    await create(one)
    const { metadataLocation } = await loaded(one)
    const json = { name: 't', 'metadata-location': metadataLocation }
    let isRegistered = false
    const objects = new Proxy(one.objects, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return async (...given: unknown[]) => {
          if (name === 'putIfAbsent' && !isRegistered && String(given[0]).includes('/dropped-')) {
            isRegistered = true
            await registerTable(other, { namespace: NAMESPACE, json }, CALL)
          }
          return value.apply(target, given)
        }
      },
    })
    const { state } = await drop({ ...one, objects } as Platform)
    expect(isRegistered).toBe(true)
    const { location, tableUuid } = state.definition
    const mark = `${location}/metadata/dropped-${tableUuid}.json`
    expect(await droppedBy(one, mark)).toBeUndefined()
  })
}
