import { callerAddress } from '../../core/access/caller-address.ts'
import { ANONYMOUS_NAME } from '../../core/access/principal-name.ts'
import type { NotedRequest } from './noted-request.ts'

/** Addresses with rows of their own; all others share one row. */
const NETWORKS_MAX = 100
/** Actions of an address with rows of their own; its others share one row. */
const ACTIONS_MAX = 5
const EVERY_MS = 60_000
/** The action of such a row. */
export const UNSIGNED = 'audit.unsigned'
/** In place of the address: no address is so. */
const OTHERS = 'others'

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
 * audit who is not let in, and nobody takes the rows of other addresses by trying many actions.
 */
export class UnsignedRequests {
  /** By address and action. */
  readonly #networks = new Map<string, Map<string, Group>>()
  readonly #now: () => number

  /** `now`: a clock that never goes back, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Rows that are not taken yet. */
  get pendingRows(): number {
    let count = 0
    for (const groups of this.#networks.values()) {
      for (const { pending } of groups.values()) if (pending !== undefined) count++
    }
    return count
  }

  note(noted: NotedRequest): void {
    const { facts, address = '' } = noted
    const network = callerAddress(address)
    const isKnown = this.#networks.has(network) || this.#networks.size < NETWORKS_MAX
    const groups = this.#groupsOf(isKnown ? network : OTHERS)
    const hasRoom = groups.has(facts.action) || groups.size < ACTIONS_MAX
    if (isKnown && hasRoom) add(groups, noted)
    else add(groups, { ...noted, facts: { ...facts, action: UNSIGNED } })
  }

  #groupsOf(network: string): Map<string, Group> {
    const groups = this.#networks.get(network) ?? new Map<string, Group>()
    this.#networks.set(network, groups)
    return groups
  }

  /** Those whose rows are due, or all. */
  take({ isLast }: { readonly isLast: boolean }): readonly Pending[] {
    const now = this.#now()
    const taken: Pending[] = []
    for (const [network, groups] of this.#networks) {
      for (const [action, group] of groups) {
        if (!isLast && now - group.writtenAtMs < EVERY_MS) continue
        if (group.pending === undefined) groups.delete(action)
        else {
          taken.push(group.pending)
          group.pending = undefined
          group.writtenAtMs = now
        }
      }
      if (groups.size === 0) this.#networks.delete(network)
    }
    return taken
  }
}

function add(groups: Map<string, Group>, noted: NotedRequest): void {
  const { action } = noted.facts
  const group = groups.get(action)
  if (group === undefined) {
    const pending = { ...noted, count: 1 }
    groups.set(action, { pending, writtenAtMs: Number.NEGATIVE_INFINITY })
  } else if (group.pending === undefined) group.pending = { ...noted, count: 1 }
  else group.pending = together(group.pending, noted)
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
