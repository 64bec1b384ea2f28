import type { SettingStore } from '../setting-store.ts'
import { type Connection, read, type SqlEngine, write } from './engine/sql-engine.ts'

export class SqlSettings implements SettingStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  find(name: string): Promise<string | undefined> {
    return read(this.#engine, (connection) => findValue(connection, name))
  }

  keep(name: string, value: string): Promise<string> {
    return write(this.#engine, async (transaction) => {
      await transaction
        .insertInto('settings')
        .values({ name, value })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      return (await findValue(transaction, name)) ?? value
    })
  }
}

async function findValue(connection: Connection, name: string): Promise<string | undefined> {
  const row = await connection
    .selectFrom('settings')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value
}
