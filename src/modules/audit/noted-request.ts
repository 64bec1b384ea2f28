import type { AuditDecision } from '../../catalog/audit/audit-store.ts'
import { withoutCredentials } from '../../core/access/url-credentials.ts'
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
  /** `undefined` where no route was found: it is the client's own invention. */
  readonly path: string | undefined
  readonly address: string | undefined
  readonly status: number
}

/**
 * What is to have a row: the request if it was refused to its caller; else each table or view that
 * it showed the rows of, once.
 */
export function notedRequests(
  request: EndedRequest,
  ambient: Pick<Ambient, 'nowMs' | 'newUuid'>,
): readonly NotedRequest[] {
  const { asked, refused } = request
  const decision = decisionOf(request)
  if (decision !== 'allowed') {
    return [noted(request, ambient, { decision, target: (refused ?? asked.at(-1))?.target })]
  }
  const read = new Map(readsOf(request).map((each) => [keyOf(each), each]))
  return [...read.values()].map(({ target }) => noted(request, ambient, { decision, target }))
}

function noted(
  { route, toldPrincipal: principal, requestId, path, address, status, method }: EndedRequest,
  { nowMs, newUuid }: Pick<Ambient, 'nowMs' | 'newUuid'>,
  { decision, target }: { readonly decision: AuditDecision; readonly target: Target | undefined },
): NotedRequest {
  return {
    facts: {
      ...{ rowId: newUuid(), timeMs: nowMs(), principal, decision },
      action: route?.operationId ?? method.toLowerCase(),
      ...{ kind: target?.on ?? 'catalog', subject: '', name: nameOf(target) },
    },
    ...{ target, requestId, address, status, path: route && withoutCredentials(path) },
  }
}

function decisionOf({ status, refused, asked }: EndedRequest): AuditDecision {
  // Who grants is told which roles and keys are not there, and may be trying which are.
  const isGranting = asked.some(({ privilege }) => privilege === 'manage_grants')
  if (status === 404 && (isGranting || refused?.decision === 'hidden')) return 'hidden'
  if (!REFUSED.has(status)) return 'allowed'
  return UNAUTHENTICATED.has(status) ? 'unauthenticated' : 'denied'
}

/** What was read. */
function readsOf({ status, asked, route }: EndedRequest): readonly Asked[] {
  if (status >= 400) return []
  const allowed = asked.filter(({ decision }) => decision === 'allowed')
  if (route?.showsRows === true) return allowed.slice(-1)
  return allowed.filter(({ privilege }) => privilege === 'select')
}

const keyOf = ({ target }: Asked) => JSON.stringify([target.on, nameOf(target)])

function nameOf(target: Target | undefined): string {
  const name = target?.name
  if (name === undefined || typeof name === 'string') return name ?? ''
  return 'namespace' in name ? formatTableName(name.namespace, name.name) : name.join('.')
}
