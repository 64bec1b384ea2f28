import { CatalogError } from '../../../src/core/errors.ts'
import type { DataFile } from '../../../src/core/file/data-file.ts'
import { commitTransaction, startTransaction } from '../../../src/lake/commit/transactions.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import type { Platform } from '../../../src/service.ts'
import { commitFiles, stageFiles } from '../trusted-caller.ts'

/** What others do with a file while the table that it was uploaded to is purged. */
export const RIVALS = ['commit', 'stage', 'clone'] as const
export type Rival = (typeof RIVALS)[number]

export interface RaceRound {
  /** Processes over one catalog: one purges, the other names the file. */
  readonly purger: Platform
  readonly other: Platform
  readonly rival: Rival
  readonly bytes: Uint8Array
  /** Unique among the rounds of a catalog. */
  readonly name: string
  /** How long the purge waits, in milliseconds, so that all interleavings come up. */
  readonly purgeAfterMs: number
}

export interface RaceOutcome {
  /** Whether the rival was acknowledged; then the file must be there. */
  readonly isAcknowledged: boolean
  readonly isThere: boolean
  readonly refusal: string | undefined
}

/** One purge `now` of a table against one rival that names its file under another spelling. */
export async function race(round: RaceRound): Promise<RaceOutcome> {
  const { purger, other, rival, bytes, name, purgeAfterMs } = round
  const [source, target] = [`source_${name}`, `target_${name}`]
  for (const table of [source, target]) {
    await createTable(purger, { name: table, columns: [{ name: 'n', type: 'long' }] })
  }
  const chunks = (async function* () {
    yield bytes
  })()
  const [file] = (await uploadFile(purger, { table: source, chunks })).files
  const dataFile = file?.dataFile as DataFile
  const names = async (): Promise<string> => {
    const paths = [dataFile.path.replace('file:///', 'file:/')]
    if (rival === 'clone') {
      await cloneTable(other, { table: source, name: target.replace('target', 'clone') })
      return target.replace('target', 'clone')
    }
    if (rival === 'commit') await commitFiles(other, { table: target, paths })
    else {
      const { transactionId } = await startTransaction(other, {})
      await stageFiles(other, { table: target, transactionId, paths })
      await commitTransaction(other, transactionId)
    }
    return target
  }
  const purges = async () => {
    await new Promise((resolve) => setTimeout(resolve, purgeAfterMs))
    await dropTable(purger, source, { purge: 'now' })
  }
  const [named] = await Promise.allSettled([names(), purges()])
  const isThere = (await purger.objects.find(dataFile.path)) !== undefined
  if (named.status === 'rejected') {
    if (!(named.reason instanceof CatalogError)) throw named.reason
    return { isAcknowledged: false, isThere, refusal: named.reason.code }
  }
  const { plan } = await readTable(other, { table: named.value })
  if (plan.totals.dataFiles !== 1) throw new Error('the file is not in the table')
  return { isAcknowledged: true, isThere, refusal: undefined }
}
