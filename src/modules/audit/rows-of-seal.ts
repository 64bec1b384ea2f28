import type { AuditRow, AuditStore } from '../../catalog/audit/audit-store.ts'

/** Rows may be long. */
const ROWS_AT_ONCE = 500

/** In the order of positions; `null`: those of no seal. */
export async function* rowsOf(
  audit: Pick<AuditStore, 'listOfSeal'>,
  seal: bigint | null,
): AsyncIterable<AuditRow> {
  for (let after = 0n; ; ) {
    const rows = await audit.listOfSeal({ seal, after, limit: ROWS_AT_ONCE })
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < ROWS_AT_ONCE) return
    after = last.position
  }
}
