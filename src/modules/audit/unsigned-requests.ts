import { callerAddress } from '../../core/access/caller-address.ts'
import { ANONYMOUS_NAME } from '../../core/access/principal-name.ts'
import type { NotedRequest } from './noted-request.ts'

/** Pairs of an address and an action with rows of their own; all others share one row. */
const GROUPS_MAX = 100
const EVERY_MS = 60_000
/** The action of that row. */
export const UNSIGNED = 'audit.unsigned'

/** One request, or several that share its row. */
export interface Pending extends Omit<NotedRequest, 'path' | 'status'> {
  count: number
  /** `undefined` for more than one. */
  path: string | undefined
  /** `null` for more than one. */
  status: number | null
}

interface Group {
  pending: Pending | undefined
  writtenAtMs: number
}

/** Whether it was refused to somebody who did not sign in, as anybody may be at any rate. */
export function isUnsigned({ facts }: NotedRequest): boolean {
  return facts.principal === ANONYMOUS_NAME && facts.decision !== 'allowed'
}

/**
 * Refusals of callers who did not sign in. Those from one address that tried one action share a
 * row, whatever they named, and have one a minute at most: the first at once. So nobody fills the
 * audit, or keeps others out of it, who is not let in.
 */
export class UnsignedRequests {
  readonly #groups = new Map<string, Group>()
  readonly #now: () => number

  /** `now`: a clock that never goes back, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get hasPending(): boolean {
    for (const { pending } of this.#groups.values()) if (pending !== undefined) return true
    return false
  }

  note(noted: NotedRequest): void {
    const { facts, address = '' } = noted
    const key = JSON.stringify([callerAddress(address), facts.action])
    const isRoom = this.#groups.has(key) || this.#groups.size < GROUPS_MAX
    if (isRoom) this.#add(key, noted)
    else this.#add(UNSIGNED, { ...noted, facts: { ...facts, action: UNSIGNED } })
  }

  #add(key: string, noted: NotedRequest): void {
    const group = this.#groups.get(key)
    if (group === undefined) {
      const pending = { ...noted, count: 1 }
      this.#groups.set(key, { pending, writtenAtMs: Number.NEGATIVE_INFINITY })
    } else if (group.pending === undefined) group.pending = { ...noted, count: 1 }
    else group.pending = together(group.pending, noted)
  }

  /** Those whose rows are due, or all. */
  take({ isLast }: { readonly isLast: boolean }): readonly Pending[] {
    const now = this.#now()
    const taken: Pending[] = []
    for (const [key, group] of this.#groups) {
      if (!isLast && now - group.writtenAtMs < EVERY_MS) continue
      if (group.pending === undefined) this.#groups.delete(key)
      else {
        taken.push(group.pending)
        group.pending = undefined
        group.writtenAtMs = now
      }
    }
    return taken
  }
}

/** What they have in common. */
function together(pending: Pending, noted: NotedRequest): Pending {
  const { facts, target, path, address, status } = pending
  const isSame = facts.name === noted.facts.name && facts.kind === noted.facts.kind
  const common = { ...facts, name: isSame ? facts.name : '' }
  return {
    ...pending,
    count: pending.count + 1,
    facts: isSame ? common : { ...common, kind: 'catalog' },
    target: isSame ? target : undefined,
    path: path === noted.path ? path : undefined,
    address: address === noted.address ? address : networkOf(address, noted.address),
    status: status === noted.status ? status : null,
  }
}

function networkOf(one: string | undefined, other: string | undefined): string | undefined {
  const network = callerAddress(one ?? '')
  return network === callerAddress(other ?? '') ? network : undefined
}
