import type { AuditRow, AuditSeal, AuditStore, SealedRow } from '../../catalog/audit/audit-store.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { hashOf } from './new-audit-row.ts'
import { rowsOf } from './rows-of-seal.ts'
import {
  readSeal,
  SEAL_BYTES_MAX,
  type SealDocument,
  sealLocation,
  sealsFolder,
} from './seal-document.ts'

const SEALS_AT_ONCE = 500
/** A row this much older than its seal was added late, or with a time of another's choice. */
const LATE_MS = 3_600_000

export interface VerifyDependencies {
  readonly catalog: Pick<Catalog, 'audit'>
  readonly objects: Pick<ObjectStore, 'read' | 'list'>
  readonly warehouse: string
}

export interface VerifyOptions {
  /** Fingerprints of the keys that may have signed. */
  readonly keys: ReadonlySet<string>
  /** Rows of seals before this one are not looked at: they were lost, as by a rebuild. */
  readonly fromSeal: bigint
  /** A seal that must be there, as it was noted elsewhere. */
  readonly expected?: { readonly seal: bigint; readonly hash: string } | undefined
}

export interface VerifiedAudit {
  readonly seals: bigint
  readonly rows: number
  /** Rows that no seal has yet. */
  readonly unsealed: number
  readonly prunedThrough: bigint
  readonly last: { readonly seal: bigint; readonly hash: string } | undefined
  /** Rows sealed more than an hour after their time, and the first of them. */
  readonly late: number
  readonly firstLate: string | undefined
}

/** The first thing that does not fit. */
export class AuditFault extends Error {
  readonly kind: 'row' | 'seal' | 'key'

  constructor(kind: AuditFault['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/**
 * Holds every row against its seal, every seal against the one before and against its copy in the
 * warehouse. Throws an `AuditFault` with the first that does not fit; a key that is not known only
 * if all else fits. Services may go on.
 */
export function verifyAudit(
  deps: VerifyDependencies,
  options: VerifyOptions,
): Promise<VerifiedAudit> {
  return new AuditVerifier(deps, options).verify()
}

class AuditVerifier {
  readonly #deps: VerifyDependencies
  readonly #options: VerifyOptions
  readonly #audit: AuditStore
  /** The last seal that fits. */
  #last: SealDocument | undefined
  #prunedThrough = 0n
  #rows = 0
  #late = 0
  #firstLate: string | undefined
  #unknownKey: AuditFault | undefined
  #isExpectedSeen = false

  constructor(deps: VerifyDependencies, options: VerifyOptions) {
    this.#deps = deps
    this.#options = options
    this.#audit = deps.catalog.audit
  }

  async verify(): Promise<VerifiedAudit> {
    const highest = await this.#highestCopy()
    await this.#lookForGivenUp()
    await this.#verifySeals()
    if (highest >= this.#next) await this.#verifyTail(highest)
    await this.#requireNoneBeyond()
    const unsealed = await this.#verifyUnsealed()
    this.#requireExpected()
    if (this.#unknownKey !== undefined) throw this.#unknownKey
    const last = this.#last
    return {
      ...{ seals: last?.seal ?? 0n, rows: this.#rows, unsealed },
      ...{ prunedThrough: this.#prunedThrough, late: this.#late, firstLate: this.#firstLate },
      last: last && { seal: last.seal, hash: last.hash },
    }
  }

  /** The number of the last copy in the warehouse; 0 if there is none. */
  async #highestCopy(): Promise<bigint> {
    const folder = `${sealsFolder(this.#deps)}/`
    let highest = 0n
    for await (const { location } of this.#deps.objects.list(sealsFolder(this.#deps))) {
      const [, digits] = /^([1-9]\d{0,17})\.json$/.exec(location.slice(folder.length)) ?? []
      const seal = BigInt(digits ?? 0)
      if (seal > highest) highest = seal
    }
    return highest
  }

  get #next(): bigint {
    return (this.#last?.seal ?? 0n) + 1n
  }

  /** All seals that the catalog has, also those that come meanwhile. */
  async #verifySeals(): Promise<void> {
    for (;;) {
      const after = this.#last?.seal ?? 0n
      const seals = await this.#audit.listSeals({ after, limit: SEALS_AT_ONCE })
      if (seals.length === 0) return
      for (const seal of seals) await this.#verifySeal(seal)
    }
  }

  async #verifySeal(kept: AuditSeal): Promise<void> {
    const next = this.#next
    if (kept.seal !== next) throw noSeal(next, 'the catalog')
    const document = await this.#read(next)
    if (document.hash !== kept.hash || document.prunedThrough !== kept.prunedThrough) {
      throw new AuditFault(
        'seal',
        `seal ${next} is another one in the catalog than in the warehouse`,
      )
    }
    this.#requireFollowing(document)
    if (next >= this.#options.fromSeal) await this.#verifyRows(document, rowsOf(this.#audit, next))
    this.#pass(document)
  }

  /** One seal may be in the warehouse only: whoever was to tell the catalog was killed. */
  async #verifyTail(highest: bigint): Promise<void> {
    const next = this.#next
    if (highest > next) throw noSeal(next, 'the catalog')
    const document = await this.#read(next)
    this.#requireFollowing(document)
    const wanted = new Set(document.rows.map(({ position }) => position))
    try {
      await this.#verifyRows(document, among(rowsOf(this.#audit, null), wanted))
      this.#pass(document)
    } catch (error) {
      // It may have been told in between.
      const seals = await this.#audit.listSeals({ after: next - 1n, limit: 1 })
      if (seals.length === 0) throw error
      await this.#verifySeals()
    }
  }

  #pass(document: SealDocument): void {
    const { expected } = this.#options
    this.#last = document
    this.#isExpectedSeen ||= expected?.seal === document.seal && expected.hash === document.hash
  }

  #requireFollowing(document: SealDocument): void {
    const { seal, previous, prunedThrough, fingerprint } = document
    const before = this.#last?.prunedThrough ?? 0n
    const isNext = seal === this.#next && previous === (this.#last?.hash ?? null)
    if (!isNext || prunedThrough < before || prunedThrough >= seal) {
      throw new AuditFault('seal', `seal ${this.#next} does not follow the one before`)
    }
    if (this.#options.keys.has(fingerprint)) return
    this.#unknownKey ??= new AuditFault(
      'key',
      `seal ${seal} is signed by a key that is not known: ${fingerprint}`,
    )
  }

  async #read(seal: bigint): Promise<SealDocument> {
    const location = sealLocation(this.#deps, seal)
    let bytes: Uint8Array
    try {
      bytes = await this.#deps.objects.read(location, { bytesMax: SEAL_BYTES_MAX })
    } catch (error) {
      const isMissing = error instanceof CatalogError && error.code === 'file-not-found'
      throw isMissing ? noSeal(seal, `the warehouse: ${location}`) : error
    }
    try {
      return readSeal(bytes)
    } catch (error) {
      throw new AuditFault('seal', `seal ${seal} is damaged: ${(error as Error).message}`)
    }
  }

  async #verifyRows(document: SealDocument, found: AsyncIterable<AuditRow>): Promise<void> {
    const wanted = document.rows[Symbol.iterator]()
    let next = wanted.next()
    let count = 0
    for await (const row of found) {
      while (!next.done && next.value.position < row.position) {
        await this.#requireGivenUp(document, next.value)
        next = wanted.next()
      }
      if (next.done || next.value.position > row.position) {
        throw rowFault(row, `says that seal ${document.seal} has it, which does not: inserted`)
      }
      if (next.value.hash !== row.hash || hashOf(row) !== row.hash) {
        throw rowFault(row, `of seal ${document.seal} was changed`)
      }
      count++
      if (row.timeMs < document.sealedAtMs - LATE_MS) this.#noteLate(row)
      next = wanted.next()
    }
    for (; !next.done; next = wanted.next()) await this.#requireGivenUp(document, next.value)
    this.#rows += count
  }

  #noteLate(row: AuditRow): void {
    this.#late++
    this.#firstLate ??= called(row)
  }

  async #requireGivenUp({ seal }: SealDocument, { position }: SealedRow): Promise<void> {
    if (seal <= this.#prunedThrough) return
    // It may have been given up since.
    await this.#lookForGivenUp()
    if (seal <= this.#prunedThrough) return
    throw new AuditFault('row', `row ${position} of seal ${seal} is missing`)
  }

  /** As the last seal says, if it is signed; it is held against all else in its turn. */
  async #lookForGivenUp(): Promise<void> {
    const last = await this.#audit.findLastSeal()
    if (last === undefined) return
    const { hash, prunedThrough } = await this.#read(last.seal)
    if (hash === last.hash) this.#prunedThrough = prunedThrough
  }

  async #requireNoneBeyond(): Promise<void> {
    const row = await this.#audit.findBeyond((await this.#audit.findLastSeal())?.seal ?? 0n)
    if (row === undefined) return
    // It may have been sealed in between.
    const last = (await this.#audit.findLastSeal())?.seal ?? 0n
    const seal = row.seal ?? 0n
    if (seal < 1n || seal > last) {
      throw rowFault(row, `says that seal ${seal} has it, which is not there: inserted`)
    }
  }

  async #verifyUnsealed(): Promise<number> {
    let count = 0
    for await (const row of rowsOf(this.#audit, null)) {
      if (hashOf(row) !== row.hash) throw rowFault(row, 'that no seal has yet was changed')
      count++
    }
    return count
  }

  #requireExpected(): void {
    const { expected } = this.#options
    if (expected === undefined || this.#isExpectedSeen) return
    throw new AuditFault('seal', `seal ${expected.seal} with the expected hash is not there`)
  }
}

async function* among(
  rows: AsyncIterable<AuditRow>,
  positions: ReadonlySet<bigint>,
): AsyncIterable<AuditRow> {
  for await (const row of rows) if (positions.has(row.position)) yield row
}

function noSeal(seal: bigint, where: string): AuditFault {
  return new AuditFault('seal', `seal ${seal} is missing in ${where}`)
}

function rowFault(row: AuditRow, fault: string): AuditFault {
  return new AuditFault('row', `${called(row)} ${fault}`)
}

function called({ position, rowId }: AuditRow): string {
  return `row ${position} (${rowId})`
}
