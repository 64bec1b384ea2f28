import Sqlite from 'better-sqlite3'

/**
 * Makes each table one that may name any path, as those of before paths had keys and those rebuilt
 * in part. A catalog that is open does not notice.
 */
export function unkeyAll({ warehouse }: { readonly warehouse: string }): void {
  const database = new Sqlite(warehouse.replace('file://', '').replace(/warehouse$/, 'catalog.db'))
  database.exec(`insert into unkeyed_paths select table_uuid from tables;
    delete from known_paths`)
  database.close()
}
