import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'

const FLIGHTS = fileURLToPath(
  new URL('../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
)

export interface FlightFiles {
  /** One Parquet file for each month of departure, January first. */
  readonly months: readonly string[]
  /** All flights of June that came more than an hour late. */
  readonly late: string
}

/** Splits the 3,000,000 flights of `vega-datasets` by month. The folder is emptied first. */
export async function splitFlights(folder: string): Promise<FlightFiles> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const flights = `read_parquet('${FLIGHTS}')`
  const months = await connection.runAndReadAll(
    `SELECT DISTINCT strftime(date, '%Y-%m') AS month FROM ${flights} ORDER BY month`,
  )
  for (const [month] of months.getRowsJson()) {
    await connection.run(
      `COPY (SELECT * FROM ${flights} WHERE strftime(date, '%Y-%m') = '${month}')
       TO '${join(folder, `flights-${month}.parquet`)}' (FORMAT parquet, COMPRESSION zstd)`,
    )
  }
  const late = join(folder, 'late-2001-06.parquet')
  await connection.run(
    `COPY (SELECT * FROM ${flights} WHERE delay > 60 AND strftime(date, '%Y-%m') = '2001-06')
     TO '${late}' (FORMAT parquet, COMPRESSION zstd)`,
  )
  connection.closeSync()
  instance.closeSync()
  const names = (await readdir(folder)).filter((name) => name.startsWith('flights-')).sort()
  return { months: names.map((name) => join(folder, name)), late }
}
