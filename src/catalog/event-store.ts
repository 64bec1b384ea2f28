import type { EventOrigin } from '../core/event-origin.ts'

/** Every type of event. Names are never changed; another shape of `data` is another version. */
export const EVENT_TYPES = [
  'moraine.dataset.changed.v1',
  'moraine.export.asked.v1',
  'moraine.export.failing.v1',
  'moraine.export.overdue.v1',
  'moraine.key.changed.v1',
  'moraine.namespace.created.v1',
  'moraine.namespace.dropped.v1',
  'moraine.namespace.updated.v1',
  'moraine.permissions.changed.v1',
  'moraine.role.changed.v1',
  'moraine.table.committed.v1',
  'moraine.table.created.v1',
  'moraine.table.dropped.v1',
  'moraine.table.renamed.v1',
  'moraine.table.replaced.v1',
  'moraine.view.created.v1',
  'moraine.view.dropped.v1',
  'moraine.view.renamed.v1',
  'moraine.view.replaced.v1',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** Tell of who may do what: of keys, roles, and what is granted or withheld. */
export const ACCESS_EVENT_TYPES = [
  'moraine.key.changed.v1',
  'moraine.permissions.changed.v1',
  'moraine.role.changed.v1',
] as const satisfies readonly EventType[]

/**
 * What happened, in the order of positions. Every mutation of a table, view or namespace writes its
 * event in its own database transaction: one for each new version of a table, so a commit that many
 * share has one.
 */
export interface EventStore {
  /**
   * Returns the events after a position, oldest first. Numbers what is visible and has no position
   * yet, so nothing can come to light later at a position that was passed: a reader that follows
   * `nextAfter` sees each event once, as long as its `after` is not below `forgotten`.
   */
  list(query: EventQuery): Promise<EventPage>
  /** Numbers what is visible, as `list` does. */
  findRange(): Promise<EventRange>
  /** Raises an event of what is done outside the catalog: it is durable before that begins. */
  raise(event: OutsideEvent, origin: EventOrigin): Promise<void>
  /**
   * Raises an event of what no mutation does, once: unless one was raised under the name for this
   * instant, or a later one. Returns whether it was.
   */
  raiseOnce(event: StateEvent): Promise<boolean>
  /**
   * Forgets events older than the instant, up to the first that is not; returns how many. One that
   * a clock ahead has dated holds up none.
   */
  forget(age: { readonly beforeMs: number; readonly nowMs: number }): Promise<number>
  /** How far a consumer with this name has come; `undefined` before its first `saveCursor`. */
  findCursor(name: string): Promise<bigint | undefined>
  /** `fenced` when someone with a greater token has written it: then nothing changes. */
  saveCursor(cursor: EventCursor): Promise<'saved' | 'fenced'>
}

export interface CatalogEvent {
  readonly position: bigint
  /** Unique over all catalogs. */
  readonly eventId: string
  readonly type: EventType
  /**
   * UUID of the table or view; the dotted name of a namespace; the UUID that permissions are on, or
   * `catalog`; `role:<name>`, `key:<id>` or `export:<task>`.
   */
  readonly subject: string
  /** Dotted, as it was after the change; before it, for a drop. */
  readonly name: string
  /** The version that the change made; 0 for namespaces, which have none. */
  readonly version: number
  readonly timeMs: number
  readonly data: EventData
  readonly origin: EventOrigin
}

export type OutsideEvent = Pick<CatalogEvent, 'type' | 'subject' | 'name' | 'data'>

/** That something is in a state, since the instant. */
export interface StateEvent extends OutsideEvent {
  /** Unique to the state and the thing. */
  readonly onceName: string
  readonly sinceMs: number
  /** Instants that are well ahead of it were noted by a clock that was ahead. */
  readonly nowMs: number
}

/**
 * Members of the CloudEvent's `data`, beside those that every event has. Ids of 64 bits are decimal
 * strings.
 */
export type EventData = Readonly<Record<string, unknown>>

export interface EventQuery {
  readonly after: bigint
  readonly types?: readonly EventType[]
  /** Others only. */
  readonly exceptTypes?: readonly EventType[]
  /** Only those with this subject or, without case, this name. */
  readonly subject?: string
  readonly limit: number
}

export interface EventPage extends EventRange {
  readonly events: readonly CatalogEvent[]
  /**
   * Everything up to here was looked at, whether it is among `events` or not; more follows while it
   * is not `last`.
   */
  readonly nextAfter: bigint
}

export interface EventRange {
  /** Events up to and with this position are forgotten; 0 at first. */
  readonly forgotten: bigint
  /** The greatest position given so far; 0 at first. */
  readonly last: bigint
}

export interface EventCursor {
  readonly name: string
  readonly position: bigint
  /** Token of the lease under which the consumer reads. */
  readonly fencingToken: bigint
}
