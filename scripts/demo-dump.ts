import { rmSync } from 'node:fs'
import { run, say } from './demo-shell.ts'

export interface DumpPlace {
  /** Address of the table. */
  readonly table: string
  /** Folder for downloads. */
  readonly folder: string
  readonly snapshots: { readonly march: string; readonly now: string }
}

/** Dumps two moments, cuts and resumes a download, and dumps all months as one Parquet file. */
export function showDumps({ table, folder, snapshots }: DumpPlace): void {
  say('Any snapshot as one file: the flights when March was in, and now (made as it is sent)')
  for (const [name, snapshotId] of Object.entries(snapshots)) {
    const file = `'${folder}/${name}.csv'`
    run(`curl -fsS -o ${file} '${table}/${snapshotId}/dump?format=csv' && wc -lc < ${file}`)
  }

  say('A download is cut after 20 MB and resumed; the digest says that nothing was lost')
  const name = 'flights.csv'
  rmSync(`${folder}/${name}`, { force: true })
  const dump = `'${table}/${snapshots.now}/dump?format=csv'`
  run(`curl -fsS -r 0-19999999 -o '${folder}/${name}' ${dump} && wc -c < '${folder}/${name}'`)
  run(`curl -fsS -C - -o '${folder}/${name}' ${dump} && wc -c < '${folder}/${name}'`)
  const digest = `curl -fsS '${table}/${snapshots.now}/dump.sha256?format=csv'`
  run(`cd '${folder}' && ${digest} | sed 's/  .*/  ${name}/' | sha256sum -c`)

  say('All months as one Parquet file by its name, its row groups copied and not converted')
  const parquet = `'${folder}/flights.parquet'`
  run(`curl -fsSL -o ${parquet} '${table}/flights.parquet' && wc -c < ${parquet}`)
}
