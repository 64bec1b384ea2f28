import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, rmSync, statSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

export interface DumpPlace {
  readonly url: string
  /** Folder for downloads. */
  readonly folder: string
  readonly snapshots: { readonly march: string; readonly now: string }
}

/** Dumps two moments, cuts and resumes a download, and dumps all months as one Parquet file. */
export async function showDumps({ url, folder, snapshots }: DumpPlace): Promise<void> {
  const table = `${url}/v1/tables/flights`
  say('Any snapshot as one file: the flights when March was in, and now')
  for (const [name, snapshotId] of Object.entries(snapshots)) {
    const file = `${folder}/${name}.csv`
    curl(['-fsS', '-o', file, `${table}/${snapshotId}/dump?format=csv`])
    answer(`${name}.csv  ${megabytes(file)}  sha256 ${(await sha256(file)).slice(0, 16)}...`)
  }

  say('A download is cut after 20 MB and resumed; the digest says that nothing was lost')
  const file = `${folder}/resumed.csv`
  rmSync(file, { force: true })
  const dump = `${table}/${snapshots.now}/dump?format=csv`
  curl(['-fsS', '-r', '0-19999999', '-o', file, dump])
  answer(`resumed.csv  ${megabytes(file)}`)
  curl(['-fsS', '-C', '-', '-o', file, dump])
  answer(`resumed.csv  ${megabytes(file)}`)
  const announced = curl(['-fsS', `${table}/${snapshots.now}/dump.sha256?format=csv`]).split(' ')[0]
  const isSame = announced === (await sha256(file))
  answer(isSame ? 'the digest matches' : 'THE DIGEST DIFFERS')
  if (!isSame) throw new Error('the resumed download is not the dump')

  say('All months as one Parquet file, its row groups copied and not converted')
  const parquet = `${folder}/flights.parquet`
  curl(['-fsS', '-o', parquet, `${table}/dump?format=parquet`])
  const query = `SELECT count(*), count(DISTINCT origin) FROM '${parquet}'`
  console.log(`$ duckdb -c "${query}"`)
  const [row] = await rowsOf(query)
  answer(`${megabytes(parquet)}: ${row?.[0]} rows, ${row?.[1]} airports`)
}

function say(text: string): void {
  console.log(`\n# ${text}`)
}

function answer(text: string): void {
  console.log(`        ${text}`)
}

function curl(args: readonly string[]): string {
  console.log(`$ curl ${args.map((arg) => (arg.includes('?') ? `'${arg}'` : arg)).join(' ')}`)
  return execFileSync('curl', args, { encoding: 'utf8' })
}

function megabytes(file: string): string {
  return `${(statSync(file).size / 1e6).toFixed(1)} MB`
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}

async function rowsOf(query: string): Promise<readonly (readonly unknown[])[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const rows = (await connection.runAndReadAll(query)).getRowsJson()
  connection.closeSync()
  instance.closeSync()
  return rows
}
