import { readFile } from 'node:fs/promises'
import type { Catalog } from '../../src/catalog/catalog.ts'
import { encodeExact } from '../../src/catalog/sql/rows/tagged-json.ts'
import {
  committed,
  newTable,
  openTransaction,
  stagedFileOf,
  stateOf,
  viewOf,
} from './catalog-samples.ts'

const UUID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
const TRANSACTION_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc96400'

/**
 * A script that makes what the first migration alone had made, and a table and a transaction in it.
 */
export async function firstSchema(engineName: 'sqlite' | 'postgres'): Promise<string> {
  const first = new URL(`../../schemas/sql/${engineName}/0001-catalog.sql`, import.meta.url)
  const { definition } = stateOf('Planets')
  const ids = `'${TRANSACTION_ID}', '${UUID}'`
  const [one, another] = ['file:/a//b', '/a/b'].map((path) => encodeExact(stagedFileOf(path)))
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
    insert into staged_files values
      (${ids}, 'of-its-text', 0, '${one}'), (${ids}, 'of-another', 1, '${another}');
    insert into staged_removals values
      (${ids}, 'of-its-text', '${encodeExact('file:/r')}');
    insert into known_paths values ('${UUID}', 1);
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
  await expectKeyed(catalog)
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

/** Paths that were known by their text are found by their key. */
async function expectKeyed({ paths, transactions }: Catalog): Promise<void> {
  const staged = await paths.findStaged({ paths: ['file:///a/b', 'file:///c'], nowMs: 4_999 })
  expect(staged).toEqual([{ path: 'file:///a/b', tableUuid: UUID, transactionId: TRANSACTION_ID }])
  const again = await transactions.stage({
    ...{ transactionId: TRANSACTION_ID, tableUuid: UUID, currentSnapshotId: null },
    addedFiles: [stagedFileOf('file:////a/b')],
    addedFilesMax: 9,
  })
  expect(again).toMatchObject({ outcome: 'duplicate' })
  // Until its manifests were read it may know any path.
  expect(await paths.listUnkeyed(9)).toEqual([UUID])
  expect(await paths.findKnown(UUID, ['file:///x'])).toEqual(new Set(['file:///x']))
  expect(await paths.findTables(['file:///x'])).toEqual(new Map([['file:///x', [UUID]]]))
  const namers = { recorded: new Map(), unkeyed: [UUID] }
  expect(await paths.findNamers(['file:///x'])).toEqual(namers)
  expect(await paths.findRecorded(UUID, ['file:///x'])).toEqual(new Set())
  await paths.addKeys(UUID, ['file:/y'])
  expect(await paths.findRecorded(UUID, ['file:///x', '/y'])).toEqual(new Set(['/y']))
  expect(await paths.endKeying(UUID, 7)).toBe('changed')
  expect(await paths.listUnkeyed(9)).toEqual([UUID])
  expect(await paths.endKeying(UUID, 0)).toBe('ended')
  expect(await paths.listUnkeyed(9)).toEqual([])
  expect(await paths.findKnown(UUID, ['file:///x', '/y'])).toEqual(new Set(['/y']))
}
