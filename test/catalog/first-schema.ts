import { readFile } from 'node:fs/promises'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { encodeExact } from '../../src/catalog/sql/rows/tagged-json.ts'
import { committed, newTable, openTransaction, stateOf, viewOf } from './catalog-samples.ts'

const UUID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
const TRANSACTION_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc96400'

/**
 * A script that makes what the first migration alone had made, and a table and a transaction in it.
 */
export async function firstSchema(engineName: 'sqlite' | 'postgres'): Promise<string> {
  const first = new URL(`../../schemas/sql/${engineName}/0001-catalog.sql`, import.meta.url)
  const { definition } = stateOf('Planets')
  const definitionText = encodeExact({ ...definition, tableUuid: UUID })
  return `
    ${await readFile(first, 'utf8')}
    create table moraine_migrations (number bigint not null primary key, name text not null);
    insert into moraine_migrations values (1, '0001-catalog.sql');
    insert into namespaces values
      ('deep', '["Deep"]'), ('deep\u001fsky', '["Deep","sky"]'), ('deep!', '["deep!"]');
    insert into tables values ('${UUID}', 'deep\u001fsky', 'planets', '["Deep","sky"]', 'Planets',
      'file:///planets', 0, '${definitionText}', null, 0, '{}', 1000, 1000, null, -1, 0);
    insert into transactions values ('${TRANSACTION_ID}', 'open', 'snapshot',
      '{"author":null,"message":null}', 1000, 5000, null, '[]', 0);
  `
}

export async function expectUpToDate(catalog: Catalog): Promise<void> {
  await catalog.migrate()
  const namespace = ['Deep', 'sky']
  expect(await catalog.tables.find({ namespace, name: 'planets' })).toMatchObject({
    name: 'Planets',
  })
  expect(await catalog.locations.findOverlapping('file:/planets', 9)).toEqual([
    { tableUuid: UUID, location: 'file:///planets', isDropped: false, keepsFiles: false },
  ])
  expect(await catalog.namespaces.find(['deep'])).toEqual({ levels: ['Deep'], properties: {} })
  const first = await catalog.namespaces.listChildren({ parent: [], limit: 9 })
  expect(first).toEqual([['Deep'], ['deep!']])
  expect(await catalog.namespaces.listChildren({ parent: ['deep'], limit: 9 })).toEqual([namespace])
  expect(await catalog.views.create(viewOf('planets', { namespace }))).toBe('table-exists')
  expect(await catalog.tables.create(newTable(stateOf('planets', { namespace })))).toBe(
    'already-exists',
  )
  expect(await catalog.namespaces.drop(['deep', 'SKY'])).toBe('not-empty')
  const open = await catalog.transactions.find(TRANSACTION_ID)
  expect(open).toEqual(
    openTransaction({ transactionId: TRANSACTION_ID, author: null, message: null }),
  )
  if (open === undefined) throw new Error('no transaction')
  const transactions = [{ transaction: committed(open, UUID), isNew: false }]
  expect(await catalog.tables.commit({ tables: [], transactions })).toEqual({
    outcome: 'committed',
  })
  expect(await catalog.tables.drop({ tableUuid: UUID, expectedVersion: 0 })).toBe('dropped')
  expect(await catalog.namespaces.drop(['deep', 'SKY'])).toBe('dropped')
}
