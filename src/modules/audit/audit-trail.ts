import type { NewAuditRow } from '../../catalog/audit/audit-store.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import { counterOf, type Meter } from '../../http/metrics.ts'
import type { EndedRequest, RequestNotes } from '../../http/serve/request-notes.ts'
import { type AuditFacts, newAuditRow } from './new-audit-row.ts'
import { type NotedRequest, notedRequests } from './noted-request.ts'
import { TargetNames } from './target-names.ts'
import { isUnsigned, type Pending, UnsignedRequests } from './unsigned-requests.ts'
import { UsageCounts } from './usage-counts.ts'

const FLUSH_MS = 1_000
/** Above so many between two flushes, requests that are alike share a row. */
const APART_MAX = 1_000
/** Longer ones are cut. */
const PATH_LENGTH_MAX = 1_000
/** Rows in memory; what exceeds them is counted. */
const ROWS_MAX = 10_000

export interface TrailDependencies {
  readonly catalog: Pick<Catalog, 'audit' | 'usage' | 'tables' | 'views'>
  readonly ambient: Pick<Ambient, 'nowMs' | 'newUuid'>
  readonly log: Log
}

/**
 * Refusals and reads, and how much is used, in memory until they are written together every second.
 * Nothing waits for it, and what it cannot keep it counts, in a row and a metric.
 */
export class AuditTrail implements RequestNotes {
  readonly #deps: TrailDependencies
  readonly #usage: UsageCounts
  #pending: Pending[] = []
  #alike = new Map<string, Pending>()
  readonly #unsigned = new UnsignedRequests()
  /** Rows that could not be written yet. */
  #unwritten: readonly NewAuditRow[] = []
  /** Requests without a row, that no row tells of yet. */
  #lost = 0
  #lostEver = 0
  #writtenEver = 0
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined
  #isClosed = false

  constructor(deps: TrailDependencies) {
    this.#deps = deps
    this.#usage = new UsageCounts(deps)
  }

  ended(request: EndedRequest): void {
    this.#usage.add(request)
    for (const noted of notedRequests(request, this.#deps.ambient)) this.#note(noted)
    this.#schedule()
  }

  /** Writes what is pending. Never throws: what could not be written is tried again. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  /** Writes everything that can be written. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#flushing
    await this.flush()
    await this.#usage.flush()
    const rows = this.#unwritten.length + this.#pending.length + this.#unsigned.pendingRows
    if (rows > 0) this.#deps.log.warn({ rows }, 'rows of the audit could not be written: lost')
  }

  /** Metrics of this process. */
  meters(): readonly Meter[] {
    return [
      counterOf(
        'moraine_audit_rows_total',
        'Rows of the audit about reads and refusals that were written.',
        () => this.#writtenEver,
      ),
      counterOf(
        'moraine_audit_requests_lost_total',
        'Reads and refusals that the audit has no row of; a row says how many.',
        () => this.#lostEver,
      ),
      ...this.#usage.meters(),
    ]
  }

  #note(noted: NotedRequest): void {
    if (isUnsigned(noted)) this.#unsigned.note(noted)
    else if (this.#pending.length < APART_MAX) this.#pending.push({ ...noted, count: 1 })
    else this.#noteTogether(noted)
  }

  /** In a row with those that are alike. */
  #noteTogether(noted: NotedRequest): void {
    const key = likeness(noted)
    const same = this.#alike.get(key)
    if (same !== undefined) {
      same.count++
      if (same.path !== noted.path) same.path = undefined
    } else if (this.#pending.length + this.#unwritten.length >= ROWS_MAX) {
      this.#lost++
      this.#lostEver++
    } else {
      const pending = { ...noted, count: 1 }
      this.#pending.push(pending)
      this.#alike.set(key, pending)
    }
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.flush().then(() => this.#usage.flushIfDue())
    }, FLUSH_MS)
    this.#timer.unref()
  }

  async #flush(): Promise<void> {
    const { catalog, log } = this.#deps
    try {
      await this.#makeRows()
      const rows = this.#unwritten
      if (rows.length === 0) return
      await catalog.audit.add(rows)
      this.#unwritten = []
      this.#writtenEver += rows.length
    } catch (err) {
      log.warn({ err }, 'rows of the audit could not be written; trying again')
      this.#schedule()
    } finally {
      if (this.#unsigned.pendingRows > 0) this.#schedule()
    }
  }

  /** None while rows wait to be written: they are kept together until then. */
  #takeUnsigned(): readonly Pending[] {
    return this.#unwritten.length > 0 ? [] : this.#unsigned.take({ isLast: this.#isClosed })
  }

  /** Rows have their ids from then on, so that none is written twice. */
  async #makeRows(): Promise<void> {
    const pending = [...this.#pending, ...this.#takeUnsigned()]
    this.#pending = []
    this.#alike = new Map()
    try {
      const names = new TargetNames(this.#deps.catalog)
      const rows: NewAuditRow[] = []
      for (const each of pending) rows.push(await rowOf(each, names))
      this.#unwritten = [...this.#unwritten, ...rows]
    } catch (error) {
      this.#pending = [...pending, ...this.#pending]
      throw error
    }
    if (this.#lost === 0) return
    this.#deps.log.warn({ lost: this.#lost }, 'the audit could not keep all reads and refusals')
    this.#unwritten = [...this.#unwritten, this.#lostRow(this.#lost)]
    this.#lost = 0
  }

  #lostRow(count: number): NewAuditRow {
    const { ambient } = this.#deps
    const facts: AuditFacts = {
      ...{ rowId: ambient.newUuid(), timeMs: ambient.nowMs(), principal: 'service' },
      ...{ action: LOST, kind: 'catalog', subject: 'catalog', name: '' },
      decision: 'allowed',
    }
    const none = {
      request_id: null,
      path: null,
      address: null,
      status: null,
      before: null,
      after: null,
    }
    return newAuditRow(facts, { ...none, count })
  }
}

/** The action of a row that counts requests without rows. */
export const LOST = 'audit.lost'

function likeness({ facts, status, address }: NotedRequest): string {
  const { principal, action, kind, name, decision } = facts
  return JSON.stringify([principal, action, kind, name, decision, status, address])
}

async function rowOf(pending: Pending, names: TargetNames): Promise<NewAuditRow> {
  const { facts, target, requestId, path, address, status, count } = pending
  const subject = await names.subjectOf(target)
  return newAuditRow(
    { ...facts, subject },
    {
      request_id: requestId,
      path: path?.slice(0, PATH_LENGTH_MAX) ?? null,
      address: address ?? null,
      ...{ status, count, before: null, after: null },
    },
  )
}
