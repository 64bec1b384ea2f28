import { readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { AuditSealer, type SealerDependencies } from '../../../src/modules/audit/audit-sealer.ts'
import { newAuditRow } from '../../../src/modules/audit/new-audit-row.ts'
import {
  readSeal,
  type SealDocument,
  sealLocation,
} from '../../../src/modules/audit/seal-document.ts'
import {
  AuditFault,
  type VerifiedAudit,
  type VerifyDependencies,
  type VerifyOptions,
  verifyAudit,
} from '../../../src/modules/audit/verify-audit.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'

/** What a row says, but for its id and time. */
export const COLUMNS = 'principal, action, kind, subject, name, decision, content, hash'
const NONE = { request_id: null, address: null, status: null, count: 1, before: null, after: null }

/** An audit with rows, whose database and warehouse can be changed by hand. */
export interface SealedAudit extends Workshop {
  add(...ids: readonly string[]): Promise<void>
  /** Three seals with the rows a to h. */
  sealThree(): Promise<void>
  sealOf(seal: number): Promise<SealDocument>
  /** As the task does, with another deps if given. */
  seal(deps?: SealerDependencies): Promise<void>
  /** What is found; the fault's kind and message if something does not fit. */
  verify(
    options?: Partial<VerifyOptions>,
    deps?: VerifyDependencies,
  ): Promise<VerifiedAudit | string>
  /** Statements on the database, beside the service. */
  change(...statements: readonly string[]): void
  /** The path of a seal in the warehouse. */
  copyOf(seal: number): string
}

export async function openSealedAudit(): Promise<SealedAudit> {
  const workshop = await openWorkshop()
  const { deps } = workshop
  let nowMs = START_MS
  const audit: SealedAudit = {
    ...workshop,
    sealThree: async () => {
      for (const ids of [
        ['a', 'b', 'c'],
        ['d', 'e'],
        ['f', 'g', 'h'],
      ]) {
        await audit.add(...ids)
        await audit.seal()
      }
    },
    sealOf: async (seal) => readSeal(await readFile(audit.copyOf(seal))),
    setClock: (ms) => {
      nowMs = ms
      workshop.setClock(ms)
    },
    add: (...ids) =>
      deps.catalog.audit.add(
        ids.map((rowId) => {
          const what = { action: 'readTable', kind: 'table', subject: 'x', name: 'sky.planets' }
          const who = { rowId, timeMs: nowMs, principal: 'key:a', decision: 'allowed' as const }
          return newAuditRow({ ...who, ...what }, NONE)
        }),
      ),
    seal: (by = deps) => new AuditSealer(by).run(new AbortController().signal),
    async verify(options, by = deps) {
      const keys = new Set([(await deps.sealKey()).fingerprint])
      try {
        return await verifyAudit(by, { keys, fromSeal: 1n, ...options })
      } catch (error) {
        if (!(error instanceof AuditFault)) throw error
        return `${error.kind}: ${error.message}`
      }
    },
    change(...statements) {
      const database = new Sqlite(join(dirname(workshop.dataFolder), 'catalog.db'))
      for (const statement of statements) database.exec(statement)
      database.close()
    },
    copyOf: (seal) => sealLocation(deps, BigInt(seal)).replace('file://', ''),
  }
  return audit
}

/** The statement that puts a row `z` into a seal, which says what another row does. */
export function insertedInto(seal: number, likeRowId: string): string {
  return `insert into audit_rows (row_id, time_ms, ${COLUMNS}, seal)
    select 'z', time_ms, ${COLUMNS}, ${seal} from audit_rows where row_id = '${likeRowId}'`
}

/** As one who can write to the warehouse does. */
export async function replaceFile(path: string, text: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}
