import { ProblemError } from '../problem/problems.ts'
import type {
  Authorizer,
  Principal,
  Privilege,
  Securable,
  Target,
  TargetName,
} from './authorizer.ts'

/** What is known of a request before its body is read. */
export interface TargetCall<Query, Parameter extends string> {
  readonly query: Query
  param(name: Parameter): string
}

/** One privilege on one thing, which address and query name. */
export type Requirement<Query = unknown, Parameter extends string = string> = {
  readonly [On in Securable]: {
    readonly privilege: Privilege
    readonly on: On
    target(call: TargetCall<Query, Parameter>): TargetName<On>
  }
}[Securable]

/**
 * What a route asks of its caller. `public`: nothing. `in-use-case`: what it is about stands in a
 * body or a staged transaction, so that the use case calls `authorize` when it knows.
 */
export type Permission<Query = unknown, Parameter extends string = string> =
  | 'public'
  | 'in-use-case'
  | Requirement<Query, Parameter>

/** On the table of the path. */
export function onTable(privilege: Privilege) {
  return {
    ...{ privilege, on: 'table' as const },
    target: ({ param }: TargetCall<unknown, 'table_identifier'>) => param('table_identifier'),
  }
}

/** On the view of the path. */
export function onView(privilege: Privilege) {
  return {
    ...{ privilege, on: 'view' as const },
    target: ({ param }: TargetCall<unknown, 'view_identifier'>) => param('view_identifier'),
  }
}

export function onCatalog(privilege: Privilege) {
  return { privilege, on: 'catalog' as const, target: () => undefined }
}

/** What one call has asked for. */
export class CallPermissions {
  readonly principal: Principal
  readonly #authorizer: Authorizer
  #hasAsked = false

  constructor(authorizer: Authorizer, principal: Principal) {
    this.#authorizer = authorizer
    this.principal = principal
  }

  /** Whether anything was asked for. */
  get hasAsked(): boolean {
    return this.#hasAsked
  }

  /**
   * Throws `permission-denied`. There is a promise to wait for only when the authorizer must look
   * something up.
   */
  require(privilege: Privilege, target: Target): Promise<void> | undefined {
    this.#hasAsked = true
    const decision = this.#authorizer.authorize(this.principal, privilege, target)
    if (decision === 'allowed') return undefined
    if (decision === 'denied') throw permissionDenied(privilege, target)
    return decision.then((late) => {
      if (late === 'denied') throw permissionDenied(privilege, target)
    })
  }

  async requireAll(privilege: Privilege, targets: readonly Target[]): Promise<void> {
    this.#hasAsked = true
    for (const target of targets) await this.require(privilege, target)
  }
}

/** The target of a call to a route that names it. */
export function targetOf<Query>(
  { on, target }: Requirement<Query>,
  call: TargetCall<Query, string>,
): Target {
  return { on, name: target(call) } as Target
}

function permissionDenied(privilege: Privilege, { on }: Target): ProblemError {
  return new ProblemError(
    'permission-denied',
    `you lack the privilege ${privilege} on this ${on}`,
    {
      facts: { privilege, on },
    },
  )
}
