import { readdir } from 'node:fs/promises'
import { keyAllPaths } from '../../../src/lake/deletion/key-paths.ts'
import { deletionsModule } from '../../../src/modules/deletions/deletions-module.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, describeTable, readTable } from '../../../src/modules/tables/tables.ts'
import { unkeyAll } from '../../catalog/unkeyed.ts'
import { refusal } from '../../refusal.ts'
import { append, Lake } from '../lake.ts'
import { openWorkshop } from '../workshop.ts'

test('paths of an older catalog are known again, and until then nothing is lost', async () => {
  const lake = await Lake.open()
  const shop = await openWorkshop()
  try {
    for (const name of ['t', 'u']) {
      await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
    }
    const path = await lake.numbers(shop, 'a')
    await append(shop, 't', path)
    const { state } = await readTable(shop.deps, { table: 't' })
    const { tableUuid } = state.definition
    unkeyAll(shop.deps)
    const old = await shop.another()
    expect((await refusal(append({ ...shop, deps: old }, 't', path))).code).toBe(
      'file-already-in-table',
    )
    // It might name anything, but its manifests say that it does not.
    await append({ ...shop, deps: old }, 'u', await lake.numbers(shop, 'b'))
    await dropTable(old, 'u', { purge: true })
    expect((await dropTable(old, 'u', { purge: true }).catch((error) => error)).code).toBe(
      'table-not-found',
    )
    await keyAllPaths(old, new AbortController().signal)
    expect(await old.catalog.paths.listUnkeyed(9)).toEqual([])
    const asked = [`file:/${path}`.replace('file://', 'file:/'), '/other']
    expect([...(await old.catalog.paths.findKnown(tableUuid, asked))]).toEqual([asked[0]])
  } finally {
    lake.close()
    await shop.close()
  }
})

test('while a table is not keyed, it may name every path', async () => {
  const shop = await openWorkshop()
  try {
    const columns = [{ name: 'n', type: 'long' }]
    const made = await createTable(shop.deps, { name: 't', columns })
    const { tableUuid } = made.definition
    unkeyAll(shop.deps)
    const { catalog } = await shop.another()
    const path = 'file:///anywhere/x.parquet'
    expect(await catalog.paths.findTables([path])).toEqual(new Map([[path, [tableUuid]]]))
    const deletion = { path, tableUuid: 'u', mark: 'm', reason: 'purge', dueAtMs: 1 } as const
    await catalog.deletions.add([deletion])
    const deletions = await catalog.deletions.listDue({ nowMs: 1, limit: 9 })
    const begin = (examined: readonly string[]) =>
      catalog.deletions.beginUnlinking({
        ...{ deletions, nowMs: 1, dueAtMs: 1 },
        examinedTableUuids: new Set(examined),
      })
    expect(await begin([])).toEqual([])
    expect(await begin([tableUuid])).toHaveLength(1)
    // It was changed since it was read: paths may be missing.
    expect(await catalog.paths.endKeying(tableUuid, made.version + 1)).toBe('changed')
    expect(await catalog.paths.listUnkeyed(9)).toEqual([tableUuid])
    expect(await catalog.paths.endKeying(tableUuid, made.version)).toBe('ended')
    expect(await catalog.paths.findTables([path])).toEqual(new Map())
  } finally {
    await shop.close()
  }
})

test('the upgrade trims metadata of a table that is never committed to again', async () => {
  const shop = await openWorkshop()
  try {
    const columns = [{ name: 'n', type: 'long' }]
    const made = await createTable(shop.deps, { name: 't', columns })
    const properties = { 'write.metadata.previous-versions-max': '1' }
    const state = {
      ...{ ...made, version: made.version + 1 },
      definition: { ...made.definition, properties },
    }
    const commit = { expectedVersion: made.version, newSnapshots: [], newLogEntries: [] }
    const tables = [{ ...commit, state, addedPaths: [] }]
    await shop.deps.catalog.tables.commit({ tables, transactions: [] })
    unkeyAll(shop.deps)
    for (let i = 0; i < 4; i++) {
      const { definition } = await describeTable(shop.deps, 't', { metadata: { i } })
      await shop.deps.publisher.publish(definition.tableUuid)
    }
    await shop.deps.publisher.close()
    const folder = `${made.definition.location}/metadata`.slice('file://'.length)
    const count = async () =>
      (await readdir(folder)).filter((name) => name.endsWith('.metadata.json')).length
    expect(await count()).toBeGreaterThan(3)
    const upgrade = deletionsModule(shop.deps).tasks?.find(({ name }) => name === 'key known paths')
    await upgrade?.run(new AbortController().signal)
    expect(await count()).toBe(2)
  } finally {
    await shop.close()
  }
})
