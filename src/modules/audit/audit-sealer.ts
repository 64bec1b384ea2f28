import type { AuditSeal, AuditStore, SealedRow } from '../../catalog/audit/audit-store.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import { areDeletionsHeld } from '../../lake/jobs/held-deletions.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { rowsOf } from './rows-of-seal.ts'
import {
  hashOfSeal,
  readSeal,
  SEAL_BYTES_MAX,
  SEALED_ROWS_MAX,
  type SealDocument,
  sealLocation,
  writeSeal,
} from './seal-document.ts'
import type { SealKey } from './seal-key.ts'

const DAY_MS = 86_400_000
/** How old a seal may be that confirms the clock: one that is idle is made each day. */
const WITNESS_MS_MAX = 3 * DAY_MS
/** Seals given up at once; the next round goes on. */
const GIVEN_UP_AT_ONCE = 2_000

export interface SealerDependencies {
  readonly catalog: Pick<Catalog, 'audit' | 'leases'>
  readonly objects: Pick<ObjectStore, 'putIfAbsent' | 'read'>
  readonly ambient: Ambient
  readonly log: Log
  /** Where the seals are written. */
  readonly warehouse: string
  /** How long rows are kept. */
  readonly auditRetentionMs: number
  /** Signs; the same one each time. */
  sealKey(): Promise<SealKey>
}

interface Unsealed {
  readonly rows: readonly SealedRow[]
  readonly newestMs: number
}

/**
 * Seals new rows: their Merkle root, the hash of the seal before and a signature go into the
 * warehouse first, where nothing is ever replaced, then into the catalog. Whoever finds the next
 * seal there already, of another replica or of a process that was killed, takes it over. Rows go
 * only after a seal has said so.
 */
export class AuditSealer {
  readonly #deps: SealerDependencies
  readonly #audit: AuditStore
  /** The last seal, as long as the catalog says the same. */
  #lastDocument: SealDocument | undefined
  /** When it was last asked what is too old. */
  #lookedOn = 0
  #isOtherKeyTold = false
  /** Whether rows are too old by a clock that no seal confirms. */
  #needsWitness = false

  constructor(deps: SealerDependencies) {
    this.#deps = deps
    this.#audit = deps.catalog.audit
  }

  /** Tells once if the last seal was signed by another key: replicas are to have one. */
  async lookAtKey(): Promise<void> {
    const last = await this.#audit.findLastSeal()
    if (last !== undefined) await this.#documentOf(last)
  }

  /** Seals all that no seal has. Throws when the warehouse has another seal than the next one. */
  async run(signal: AbortSignal): Promise<void> {
    while (await this.#sealNext(signal)) signal.throwIfAborted()
  }

  /** Whether there may be more. */
  async #sealNext(signal: AbortSignal): Promise<boolean> {
    const { ambient, catalog, objects } = this.#deps
    // Before the rows are read: those of a seal that another makes in between are in that one only.
    const last = await this.#audit.findLastSeal()
    const { rows, newestMs } = await this.#unsealed(signal)
    const kept = last && (await this.#documentOf(last))
    const before = kept?.prunedThrough ?? last?.prunedThrough ?? 0n
    const prunedThrough = kept === undefined ? before : await this.#givenUp(kept, signal)
    const isWitness = kept !== undefined && this.#needsWitness && this.#isDayOld(kept)
    if (rows.length === 0 && prunedThrough === before && !isWitness) return false
    // Asked after the rows were read: a copy of the catalog that is being made has them all.
    if (await areDeletionsHeld({ catalog, ambient })) {
      this.#lookedOn = 0
      return false
    }
    const sealedAtMs = ambient.nowMs()
    const facts = {
      ...{ seal: (last?.seal ?? 0n) + 1n, previous: last?.hash ?? null, sealedAtMs },
      ...{ newestMs: rows.length === 0 ? sealedAtMs : newestMs, prunedThrough, rows },
    }
    const bytes = writeSeal(facts, await this.#deps.sealKey())
    const location = sealLocation(this.#deps, facts.seal)
    signal.throwIfAborted()
    const isOurs = (await objects.putIfAbsent(location, bytes)) === 'written'
    const seal = isOurs ? { ...facts, hash: hashOfSeal(bytes) } : await this.#takeOver(last, before)
    await this.#audit.addSeal(seal, seal.rows)
    if (seal.prunedThrough > before) await this.#audit.prune(seal.prunedThrough)
    return !isOurs || rows.length === SEALED_ROWS_MAX
  }

  async #unsealed(signal: AbortSignal): Promise<Unsealed> {
    const rows: SealedRow[] = []
    let newestMs = 0
    signal.throwIfAborted()
    for await (const { position, hash, timeMs } of rowsOf(this.#audit, null)) {
      signal.throwIfAborted()
      rows.push({ position, hash })
      newestMs = Math.max(newestMs, timeMs)
      if (rows.length === SEALED_ROWS_MAX) break
    }
    return { rows, newestMs }
  }

  /** What the warehouse has of it; `undefined`, which is told, where that is something else. */
  async #documentOf({ seal, hash }: AuditSeal): Promise<SealDocument | undefined> {
    if (this.#lastDocument?.hash === hash) return this.#lastDocument
    try {
      const found = await this.#read(seal)
      if (found.hash !== hash) throw new Error('its hash is another one than the catalog has')
      await this.#tellOtherKey(found)
      this.#lastDocument = found
      return found
    } catch (err) {
      const location = sealLocation(this.#deps, seal)
      this.#deps.log.warn({ err, location }, 'a seal of the audit does not fit: run verify-audit')
      return undefined
    }
  }

  async #read(seal: bigint): Promise<SealDocument> {
    const location = sealLocation(this.#deps, seal)
    return readSeal(await this.#deps.objects.read(location, { bytesMax: SEAL_BYTES_MAX }))
  }

  /**
   * The seal after the last one, which is in the warehouse only. What another key has signed may
   * give up no rows: anybody who can write files could have made it, with a key of theirs.
   */
  async #takeOver(last: AuditSeal | undefined, prunedThrough: bigint): Promise<SealDocument> {
    const next = (last?.seal ?? 0n) + 1n
    const found = await this.#read(next)
    const isOwn = found.fingerprint === (await this.#deps.sealKey()).fingerprint
    const isNext = found.seal === next && found.previous === (last?.hash ?? null)
    if (!isNext || !(isOwn || found.prunedThrough === prunedThrough)) {
      const location = sealLocation(this.#deps, next)
      throw new Error(`${location} does not follow the last seal: nothing is sealed any more`)
    }
    await this.#tellOtherKey(found)
    return isOwn ? found : { ...found, newestMs: this.#deps.ambient.nowMs() }
  }

  /**
   * The last seal whose rows are too old, asked once a day. The warehouse is asked as well as the
   * catalog: who can change only one of them makes no row go earlier. So is a seal of one to three
   * days ago: a clock that jumps ahead, and is put right within a day, makes none go.
   */
  async #givenUp({ prunedThrough }: SealDocument, signal: AbortSignal): Promise<bigint> {
    const { ambient, auditRetentionMs } = this.#deps
    const today = Math.floor(ambient.nowMs() / DAY_MS)
    if (this.#lookedOn === today) return prunedThrough
    // What a process that was killed had still to remove.
    if (prunedThrough > 0n) await this.#audit.prune(prunedThrough)
    const beforeMs = today * DAY_MS - auditRetentionMs
    const old = await this.#audit.findLastOlder(beforeMs)
    this.#needsWitness = old > prunedThrough && !(await this.#isClockConfirmed())
    if (this.#needsWitness) {
      this.#lookedOn = today
      return prunedThrough
    }
    let through = prunedThrough
    while (through < old && through - prunedThrough < GIVEN_UP_AT_ONCE) {
      signal.throwIfAborted()
      const next = await this.#read(through + 1n).catch(() => undefined)
      if (next === undefined || next.newestMs >= beforeMs) break
      through++
    }
    if (through - prunedThrough < GIVEN_UP_AT_ONCE) this.#lookedOn = today
    return through
  }

  async #isClockConfirmed(): Promise<boolean> {
    const nowMs = this.#deps.ambient.nowMs()
    const [fromMs, beforeMs] = [nowMs - WITNESS_MS_MAX, nowMs - DAY_MS]
    const witness = await this.#audit.findLastBetween(fromMs, beforeMs)
    if (witness === 0n) return false
    const found = await this.#read(witness).catch(() => undefined)
    return found !== undefined && found.newestMs >= fromMs && found.newestMs < beforeMs
  }

  #isDayOld({ newestMs }: SealDocument): boolean {
    return newestMs < this.#deps.ambient.nowMs() - DAY_MS
  }

  async #tellOtherKey({ seal, fingerprint }: SealDocument): Promise<void> {
    const own = (await this.#deps.sealKey()).fingerprint
    if (fingerprint === own || this.#isOtherKeyTold) return
    this.#isOtherKeyTold = true
    this.#deps.log.warn(
      { seal: String(seal), key: fingerprint, own },
      'a seal of the audit is signed by another key: give all replicas one MORAINE_AUDIT_KEY',
    )
  }
}
