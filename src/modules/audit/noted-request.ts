import type { AuditDecision } from '../../catalog/audit/audit-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { Target } from '../../http/authorizer.ts'
import type { Asked } from '../../http/permission.ts'
import type { EndedRequest } from '../../http/serve/request-notes.ts'
import type { AuditFacts } from './new-audit-row.ts'

/** Statuses of Iceberg and HTTP for who did not sign in, or no longer is. */
const UNAUTHENTICATED: ReadonlySet<number> = new Set([401, 419])
const REFUSED: ReadonlySet<number> = new Set([...UNAUTHENTICATED, 403])

/** A read or a refusal that is to have a row; its subject is not known yet. */
export interface NotedRequest {
  readonly facts: AuditFacts
  readonly target: Target | undefined
  readonly requestId: string
  readonly address: string | undefined
  readonly status: number
}

/** Whether the request was refused to its caller, or showed what is in a table or view. */
export function isNoted(request: EndedRequest): boolean {
  return decisionOf(request) !== 'allowed' || readOf(request) !== undefined
}

export function notedRequest(
  request: EndedRequest,
  { nowMs, newUuid }: Pick<Ambient, 'nowMs' | 'newUuid'>,
): NotedRequest {
  const { route, principal, requestId, address, status, asked, refused, method } = request
  const decision = decisionOf(request)
  const told = decision === 'allowed' ? readOf(request) : (refused ?? asked.at(-1))
  const target = told?.target
  return {
    facts: {
      ...{ rowId: newUuid(), timeMs: nowMs(), principal, decision },
      action: route?.operationId ?? method.toLowerCase(),
      ...{ kind: target?.on ?? 'catalog', subject: '', name: nameOf(target) },
    },
    ...{ target, requestId, address, status },
  }
}

function decisionOf({ status, refused }: EndedRequest): AuditDecision {
  if (status === 404 && refused?.decision === 'hidden') return 'hidden'
  if (!REFUSED.has(status)) return 'allowed'
  return UNAUTHENTICATED.has(status) ? 'unauthenticated' : 'denied'
}

/** What was read; `undefined` if nothing was. */
function readOf({ status, asked, route }: EndedRequest): Asked | undefined {
  if (status >= 400) return undefined
  if (route?.showsRows === true) return asked.at(-1)
  return asked.find(({ privilege }) => privilege === 'select')
}

function nameOf(target: Target | undefined): string {
  const name = target?.name
  if (name === undefined || typeof name === 'string') return name ?? ''
  return 'namespace' in name ? formatTableName(name.namespace, name.name) : name.join('.')
}
