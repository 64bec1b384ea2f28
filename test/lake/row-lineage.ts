import { readFileSync } from 'node:fs'
import { parquetMetadata } from 'hyparquet'
import { readTable } from '../../src/modules/tables/tables.ts'
import { querySql } from '../parquet-files.ts'
import type { WorkshopDependencies } from './workshop.ts'

const ROW_ID = 2_147_483_540
const LAST_UPDATED = 2_147_483_539

/** Its id in the table, and the sequence number of what changed it last. */
export type Lineage = readonly [rowId: number | null, lastUpdated: number]

/**
 * What each row has by the specification, worked out from the data files alone; by the values of a
 * column that tells the rows apart. Deleted rows of the files are among them.
 */
export async function rowLineage(
  deps: WorkshopDependencies,
  table: string,
  key: string,
): Promise<Readonly<Record<string, Lineage>>> {
  const { plan } = await readTable(deps, { table })
  const found: Record<string, Lineage> = {}
  for (const { dataFile, sequenceNumber } of plan.plannedFiles()) {
    const path = dataFile.path.slice('file://'.length)
    const inherited = dataFile.firstRowId === undefined ? 'NULL' : `${dataFile.firstRowId}`
    const rowId = `coalesce(${columnOf(path, ROW_ID)}, ${inherited} + file_row_number)`
    const last = `coalesce(${columnOf(path, LAST_UPDATED)}, ${sequenceNumber})`
    const rows = await querySql(
      `SELECT ${key}::VARCHAR AS k, ${rowId}::INT AS id, ${last}::INT AS last ` +
        `FROM read_parquet('${path}', file_row_number = true, hive_partitioning = false)`,
    )
    for (const { k, id, last: at } of rows) {
      const lineage: Lineage = [id === null ? null : Number(id), Number(at)]
      if (String(k) in found) throw new Error(`two rows of ${k}`)
      found[String(k)] = lineage
    }
  }
  return found
}

function columnOf(path: string, fieldId: number): string {
  const bytes = readFileSync(path)
  const { schema } = parquetMetadata(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
  )
  const column = schema.find((element) => element.field_id === fieldId)
  return column === undefined ? 'NULL' : `"${column.name}"`
}
