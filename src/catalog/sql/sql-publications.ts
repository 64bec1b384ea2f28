import type { OldPublicationsQuery, Publication, PublicationStore } from '../publication-store.ts'
import { chunks, read, type SqlEngine, type SqlTransaction, write } from './engine/sql-engine.ts'
import type { Database } from './engine/sql-schema.ts'

export class SqlPublications implements PublicationStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  record(publication: Publication): Promise<void> {
    const version = BigInt(publication.version)
    return write(this.#engine, async (transaction) => {
      const updated = await transaction
        .updateTable('tables')
        .set({ published_version: version, metadata_location: publication.metadataLocation })
        .where('table_uuid', '=', publication.tableUuid)
        .where('published_version', '<', version)
        .executeTakeFirst()
      if (updated.numUpdatedRows === 1n) await addPublication(transaction, publication)
    })
  }

  /** Those that wait the longest come first. */
  async listUnpublishedTables(limit: number): Promise<readonly string[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('tables')
        .select('table_uuid')
        .whereRef('published_version', '<', 'version')
        .orderBy('last_updated_ms')
        .orderBy('table_uuid')
        .limit(limit)
        .execute(),
    )
    return rows.map((row) => row.table_uuid)
  }

  async list(tableUuid: string, limit: number): Promise<readonly Publication[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('publications')
        .selectAll()
        .where('table_uuid', '=', tableUuid)
        .orderBy('version', 'desc')
        .limit(limit)
        .execute(),
    )
    return rows.map(publicationOf)
  }

  async listBefore({
    tableUuid,
    beforeVersion,
    limit,
  }: OldPublicationsQuery): Promise<readonly Publication[]> {
    const rows = await read(this.#engine, (connection) =>
      connection
        .selectFrom('publications')
        .selectAll()
        .where('table_uuid', '=', tableUuid)
        .where('version', '<', BigInt(beforeVersion))
        .orderBy('version')
        .limit(limit)
        .execute(),
    )
    return rows.map(publicationOf)
  }

  async forget(tableUuid: string, versions: readonly number[]): Promise<void> {
    for (const chunk of chunks(versions)) {
      await write(this.#engine, (transaction) =>
        transaction
          .deleteFrom('publications')
          .where('table_uuid', '=', tableUuid)
          .where('version', 'in', chunk.map(BigInt))
          .execute(),
      )
    }
  }
}

function publicationOf(row: Database['publications']): Publication {
  return {
    tableUuid: row.table_uuid,
    version: Number(row.version),
    metadataLocation: row.metadata_location,
    publishedAtMs: Number(row.published_at_ms),
  }
}

export async function addPublication(
  transaction: SqlTransaction,
  publication: Publication,
): Promise<void> {
  await transaction
    .insertInto('publications')
    .values({
      table_uuid: publication.tableUuid,
      version: BigInt(publication.version),
      metadata_location: publication.metadataLocation,
      published_at_ms: BigInt(publication.publishedAtMs),
    })
    .execute()
}
