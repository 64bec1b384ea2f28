import type { Privilege } from '../../../src/core/access/privilege.ts'

interface Given {
  /** Number of a thing, which a later one of its name does not have; 0 is the catalog. */
  readonly on: number
  readonly principal: string
  readonly privilege: Privilege
}

export interface Who {
  readonly principal: string
  /** The most that a key may do; `null`: it has none. */
  readonly scopes: readonly Privilege[] | null
}

const READS = ['describe', 'select'] as const
const ALL = [...READS, 'modify', 'own', 'create', 'manage_grants'] as const
const INCLUDED: Readonly<Record<Privilege, readonly Privilege[]>> = {
  describe: ['describe'],
  select: READS,
  modify: [...READS, 'modify'],
  own: ALL,
  create: ['create'],
  manage_grants: ['describe', 'manage_grants'],
  export: [],
  admin: [...ALL, 'admin'],
}

function includes(held: Privilege, wanted: Privilege): boolean {
  return INCLUDED[held].includes(wanted)
}

/** What a table with a policy leaves to those whom it does not except. */
const WITHOUT_ROWS: readonly Privilege[] = ['describe', 'manage_grants']

/**
 * What is expected: names lead to numbers, and grants and policies are on numbers. Names are
 * dotted, that of the catalog is empty; tables are called s or t, and views v.
 */
export class RightsModel {
  readonly numbers = new Map<string, number>([['', 0]])
  /** `role:a key:b`: the role, and who is in it. */
  readonly members = new Set<string>()
  /** Whom the policy on a table excepts, by number. */
  readonly policies = new Map<number, readonly string[]>()
  grants: readonly Given[] = []
  #next = 1

  make(name: string, { principal }: Who): void {
    if (this.numbers.has(name)) return
    this.numbers.set(name, this.#next)
    this.change('grant', { on: this.#next++, principal, privilege: 'own' })
  }

  change(how: 'grant' | 'revoke', given: Given): void {
    const others = this.grants.filter((each) => textOf(each) !== textOf(given))
    this.grants = how === 'grant' ? [...others, given] : others
  }

  /** The caller, `everyone`, and all roles above. */
  namesOf(principal: string): ReadonlySet<string> {
    const names = new Set([principal, 'everyone'])
    for (const name of names) {
      for (const link of this.members) {
        const [role = '', member] = link.split(' ')
        if (member === name) names.add(role)
      }
    }
    return names
  }

  has(who: Who, wanted: Privilege, name: string): boolean {
    const isInScope = who.scopes?.some((scope) => includes(scope, wanted)) ?? true
    if (!isInScope && wanted !== 'describe') return false
    if (!WITHOUT_ROWS.includes(wanted) && this.#isWithheld(who, wanted, name)) return false
    return this.#isGiven(who, wanted, name)
  }

  #isGiven({ principal }: Who, wanted: Privilege, name: string): boolean {
    const parts = name === '' ? [] : name.split('.')
    const chain = ['', ...parts.map((_, i) => parts.slice(0, i + 1).join('.'))]
    const numbers = new Set(chain.map((each) => this.numbers.get(each)))
    const names = this.namesOf(principal)
    return this.grants.some((given) => {
      return (
        numbers.has(given.on) && names.has(given.principal) && includes(given.privilege, wanted)
      )
    })
  }

  /** `modify` on the catalog opens every file, so that any policy at all takes it away. */
  #isWithheld({ principal }: Who, wanted: Privilege, name: string): boolean {
    const names = this.namesOf(principal)
    const isAll = name === '' && wanted === 'modify'
    return [...this.policies].some(([number, except]) => {
      const isOnIt = isAll || number === this.numbers.get(name)
      return isOnIt && !except.some((each) => names.has(each))
    })
  }

  /** Whoever has something in a namespace, or may make it, sees the way to it. */
  sees(who: Who, name: string): boolean {
    if (this.has(who, 'describe', name)) return true
    if (kindOf(name) !== 'namespace') return false
    const names = this.namesOf(who.principal)
    const within = new Set(
      [...this.numbers].flatMap(([each, number]) =>
        each === name || each.startsWith(`${name}.`) ? [number] : [],
      ),
    )
    const isOnTheWay = this.grants.some(
      ({ on, principal }) => within.has(on) && names.has(principal),
    )
    return isOnTheWay || this.#isGiven(who, 'create', name)
  }

  /** The status of what asks for one privilege: 200 stands for what is not refused. */
  statusOf(who: Who, wanted: Privilege, name: string): 200 | 403 | 404 {
    const isThere = this.numbers.has(name)
    if (this.has(who, wanted, name) && (isThere || wanted === 'create')) return 200
    if (wanted === 'describe' && isThere && this.sees(who, name)) return 200
    // Nobody is told whether what they may make nothing in is there.
    if (name === '' || wanted === 'create') return 403
    return isThere && this.sees(who, name) ? 403 : 404
  }

  isFull(namespace: string): boolean {
    return [...this.numbers.keys()].some((name) => name.startsWith(`${namespace}.`))
  }
}

export type Kind = 'catalog' | 'namespace' | 'table' | 'view'

export function kindOf(name: string): Kind {
  if (name === '') return 'catalog'
  if (/\.[st]$/.test(name)) return 'table'
  return name.endsWith('.v') ? 'view' : 'namespace'
}

export function namespaceOf(name: string): string {
  return name.split('.').slice(0, -1).join('.')
}

function textOf({ on, principal, privilege }: Given): string {
  return `${on} ${principal} ${privilege}`
}
