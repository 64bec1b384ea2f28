import { createHash } from 'node:crypto'
import type { NewAuditRow } from '../../catalog/audit/audit-store.ts'

const TEXT_LENGTH_MAX = 2_000
/** The longest JSON of most rows: of what is longer only its length and SHA-256 are kept. */
const CONTENT_LENGTH_MAX = 100_000
/** The same for changes of access: their callers must not choose that nobody learns of them. */
export const ACCESS_LENGTH_MAX = 4_000_000

/** What is told of a row besides its columns. */
export interface AuditContent {
  readonly request_id: string | null
  /** The path of the request, without its query; rows of before it was told have none. */
  readonly path?: string | null
  readonly address: string | null
  /** HTTP status; null for a change. */
  readonly status: number | null
  /** How many requests the row stands for. */
  readonly count: number
  readonly before: unknown
  readonly after: unknown
}

export type AuditFacts = Omit<NewAuditRow, 'content' | 'hash'>

export function newAuditRow(
  facts: AuditFacts,
  content: AuditContent,
  lengthMax = CONTENT_LENGTH_MAX,
): NewAuditRow {
  const json = JSON.stringify(content)
  const isLong = json.length > lengthMax
  const cut = isLong && { before: null, after: { length: json.length, sha256: sha256(json) } }
  const row = {
    rowId: facts.rowId,
    timeMs: Math.floor(facts.timeMs),
    principal: stored(facts.principal),
    action: stored(facts.action),
    kind: facts.kind,
    subject: stored(facts.subject),
    name: stored(facts.name),
    decision: facts.decision,
    content: isLong ? JSON.stringify({ ...content, ...cut }) : json,
  }
  return { ...row, hash: hashOf(row) }
}

/** SHA-256, in hexadecimal, of everything that a row says. */
export function hashOf(row: Omit<NewAuditRow, 'hash'>): string {
  const { rowId, timeMs, principal, action, kind, subject, name, decision, content } = row
  const said = [rowId, timeMs, principal, action, kind, subject, name, decision, content]
  return sha256(JSON.stringify(said))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** As a database gives it back: no NUL, no half of a pair. */
function stored(text: string): string {
  return text.slice(0, TEXT_LENGTH_MAX).toWellFormed().replaceAll('\0', '\ufffd')
}
