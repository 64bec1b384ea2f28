import type { Catalog } from '../../catalog/catalog.ts'
import { type CatalogEvent, EVENT_TYPES } from '../../catalog/event-store.ts'
import type { Consumer } from '../../lake/events/consumer.ts'
import { ACCESS_LENGTH_MAX, type AuditFacts, newAuditRow } from './new-audit-row.ts'

/** An export that fails is no change that anybody made. */
const MADE_BY_NOBODY = /\.export\.(?:failing|overdue)\.v1$/

/** What was granted, kept from somebody or asked of them before is in `before`. */
const OF_ACCESS = /\.(?:key|permissions|role)\.changed\.v1$/

const COPIED = EVENT_TYPES.filter((type) => !MADE_BY_NOBODY.test(type))
/** As rows call them. */
export const CHANGES: readonly string[] = COPIED.map(actionOf)

/** Copies every change from its event, away from the commit that raised it. */
export function auditChanges({ catalog }: { readonly catalog: Pick<Catalog, 'audit'> }): Consumer {
  return {
    name: 'audit',
    events: COPIED,
    scope: 'cluster',
    handle: (batch) => catalog.audit.add(batch.map(rowOfEvent)),
  }
}

function actionOf(type: string): string {
  return type.replace(/^moraine\./, '').replace(/\.v\d+$/, '')
}

function rowOfEvent(event: CatalogEvent) {
  const { origin } = event
  const facts: AuditFacts = {
    rowId: event.eventId,
    timeMs: event.timeMs,
    principal: origin.principal ?? 'service',
    action: actionOf(event.type),
    kind: kindOf(event),
    subject: event.subject,
    name: event.name,
    decision: 'allowed',
  }
  const content = {
    request_id: origin.requestId ?? null,
    address: origin.address ?? null,
    ...{ status: null, count: 1 },
    ...statesOf(event),
  }
  return newAuditRow(facts, content, OF_ACCESS.test(event.type) ? ACCESS_LENGTH_MAX : undefined)
}

function kindOf({ type, subject }: CatalogEvent): string {
  const [, kind = ''] = type.split('.')
  if (kind !== 'permissions') return kind
  return subject === 'catalog' ? 'catalog' : 'permissions'
}

interface States {
  readonly before: unknown
  readonly after: unknown
}

/** What the event tells of the states before and after the change. */
function statesOf({ type, version, data }: CatalogEvent): States {
  const { before: names, ...after } = data
  // Namespaces and roles have no versions.
  const versionBefore = version > 0 && { version: version - 1 }
  if (/\.dropped\.v1$/.test(type)) {
    return { before: { ...versionBefore, ...after }, after: null }
  }
  if (type === 'moraine.dataset.changed.v1') return { before: names, after: data['after'] }
  if (OF_ACCESS.test(type)) return { before: names ?? null, after }
  if (!/\.(?:committed|renamed|replaced)\.v1$/.test(type)) return { before: null, after }
  if (type === 'moraine.table.replaced.v1') {
    return { before: { table_id: data['replaced_table_uuid'] }, after: { version, ...after } }
  }
  const parent = parentOf(data)
  const before = {
    ...versionBefore,
    ...(names !== undefined && (names as object)),
    ...(parent !== undefined && { snapshot_id: parent }),
  }
  return { before, after: { version, ...after } }
}

/** The snapshot before the change; `undefined` if the event does not say. */
function parentOf(data: CatalogEvent['data']): unknown {
  const [first] = (data['new_snapshots'] ?? []) as { readonly parent_snapshot_id: unknown }[]
  return first?.parent_snapshot_id
}
