import type { Catalog } from '../../src/catalog/catalog.ts'
import { newTable, stateOf, viewOf } from './catalog-samples.ts'

/**
 * Forgets the migration that gives views their folders, and those after it, whose tables are to be
 * dropped here once there are some. To be executed on the database.
 */
export const BEFORE_FOLDERS_OF_VIEWS = `
  alter table tables add column definition text not null default '';
  update tables set definition =
    (select d.definition from table_definitions d where d.table_uuid = tables.table_uuid);
  drop table table_definitions;
  drop table last_versions;
  drop index namespaces_by_uuid; alter table namespaces drop column namespace_uuid;
  alter table transactions drop column principal;
  drop table grants; drop table roles; drop table role_members;
  drop table access_keys; drop table signing_keys; drop table table_policies;
  drop table datasets; drop table dataset_sources; drop table table_resources;
  drop table file_holds; drop table table_leftovers; drop table purges;
  drop table purged_tables; drop table dropped_paths;
  alter table job_askers drop column is_withdrawn;
  alter table known_paths drop column footer;
  drop table schedules;
  drop index if exists known_paths_in_order;
  create index if not exists known_paths_by_table on known_paths (table_uuid);
  drop table audit_rows; drop table audit_seals; drop table usage_days;
  delete from moraine_migrations where number >= 10`

/** Views without folders, as they were made before these are claimed: one below a table. */
export async function makeOldViews(catalog: Catalog): Promise<void> {
  const { definition, ...state } = stateOf('planets')
  const placed = { ...definition, location: 'file:///w/t' }
  await catalog.tables.create(newTable({ ...state, definition: placed }))
  const metadata = (location: string, properties = {}) => JSON.stringify({ location, properties })
  const elsewhere = { 'write.metadata.path': 'file:///w/elsewhere/' }
  const views = [
    viewOf('alone', { metadata: metadata('file:///w/alone', elsewhere) }),
    viewOf('below', { metadata: metadata('file:///w/t/views/below') }),
  ]
  for (const view of views) expect(await catalog.views.create(view)).toBe('created')
  expect(await catalog.locations.findOverlapping('file:///w/alone', 9)).toEqual([])
}

/** They have their folders, also where they share them, and it is told once. */
export async function expectFoldersOfViews(catalog: Catalog): Promise<void> {
  expect(await catalog.migrate()).toEqual([
    expect.stringMatching(
      /^the view sky\.below has its files at file:\/\/\/w\/t\/views\/below, in or/,
    ),
  ])
  expect(await catalog.migrate()).toEqual([])
  for (const folder of ['alone', 'elsewhere', 't/views/below']) {
    const found = await catalog.locations.findOverlapping(`file:///w/${folder}/x`, 9)
    expect(found).toContainEqual(
      expect.objectContaining({
        location: `file:///w/${folder}`,
        isDropped: false,
        keepsFiles: true,
      }),
    )
  }
}
