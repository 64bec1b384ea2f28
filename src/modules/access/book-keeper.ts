import type { Stores } from '../../catalog/catalog.ts'
import type { CatalogEvent, EventType } from '../../catalog/event-store.ts'
import {
  CATALOG_SECURABLE,
  droppedSecurable,
  type Grant,
  isPlaceSecurable,
  type Place,
  type PlaceKey,
} from '../../catalog/grant-store.ts'
import type { KeyRecord } from '../../catalog/key-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import { nameKey } from '../../core/table/name-key.ts'
import type { KnownPrincipal } from '../../http/authorizer.ts'
import type { EventFeed } from '../../lake/events/event-feed.ts'
import { GrantBook } from './grant-book.ts'

const PLACES_MAX = 100_000
const STARTERS_MAX = 100_000
const KEYS_PAGE = 1_000
const EVENTS_PAGE = 500
const WAIT_MS = 60_000
const RETRY_MS = 500
/** Events after which something is granted, named or placed otherwise. */
const EVENTS: readonly EventType[] = [
  'moraine.key.changed.v1',
  'moraine.namespace.created.v1',
  'moraine.namespace.dropped.v1',
  'moraine.permissions.changed.v1',
  'moraine.role.changed.v1',
  'moraine.table.created.v1',
  'moraine.table.dropped.v1',
  'moraine.table.renamed.v1',
  'moraine.table.replaced.v1',
  'moraine.view.created.v1',
  'moraine.view.dropped.v1',
  'moraine.view.renamed.v1',
]

export type BookDependencies = Stores<
  'grants' | 'policies' | 'keys' | 'events' | 'transactions'
> & {
  readonly ambient: Pick<Ambient, 'nowMs' | 'sleep'>
  readonly log: Log
  readonly feed: EventFeed
}

/**
 * Keeps grants, roles, keys and the places of what was asked for in memory, and follows the events
 * that change them: those of this process at once, those of others within a second.
 */
export class BookKeeper {
  readonly book = new GrantBook()
  readonly keys = new Map<string, KeyRecord>()
  readonly #deps: BookDependencies
  readonly #closing = new AbortController()
  readonly #places = new Map<string, Place>()
  readonly #starters = new Map<string, string | null>()
  /** Goes up when places may have changed: what was read before is then not kept. */
  #era = 0
  /** How often policies were read for events, or all of them. */
  #policyLoads = 0
  #after = 0n
  #catching: Promise<void> | undefined
  #following: Promise<void> | undefined

  private constructor(deps: BookDependencies) {
    this.#deps = deps
  }

  static async open(deps: BookDependencies): Promise<BookKeeper> {
    const keeper = new BookKeeper(deps)
    await keeper.#load()
    keeper.#following = keeper.#follow()
    return keeper
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#following
  }

  /** Whether the key of the principal was revoked or has expired, since it was let in. */
  isEnded({ kind, name }: Pick<KnownPrincipal, 'kind' | 'name'>): boolean {
    if (kind !== 'key') return false
    const key = this.keys.get(name.slice('key:'.length))
    if (key === undefined) return false
    const { revokedAtMs, expiresAtMs } = key
    if (revokedAtMs !== null) return true
    return expiresAtMs !== null && expiresAtMs <= this.#deps.ambient.nowMs()
  }

  /** Where the thing is, from memory if it was asked for before. */
  findPlace(key: PlaceKey): Place | undefined | Promise<Place | undefined> {
    return this.#places.get(textOf(key)) ?? this.findPlaceNow(key)
  }

  /** The same as it is now, which events of other replicas may not have told of yet. */
  findPlaceNow(key: PlaceKey): Promise<Place | undefined> {
    return this.#read(textOf(key), () => this.#deps.catalog.grants.findPlace(key))
  }

  findByUuid(uuid: string, kind: Place['kind']): Place | undefined | Promise<Place | undefined> {
    const find = async () => {
      const [place] = await this.#deps.catalog.grants.findPlaces([uuid])
      return place?.kind === kind ? place : undefined
    }
    const known = this.#places.get(uuid)
    if (known !== undefined) return known.kind === kind ? known : undefined
    return this.#read(uuid, find)
  }

  async #read(text: string, find: () => Promise<Place | undefined>): Promise<Place | undefined> {
    const era = this.#era
    const place = await find()
    // One that was just made with a policy is shown to nobody before its event is read.
    if (place?.kind === 'table') await this.#loadPolicyOf(place.uuid)
    if (place === undefined || era !== this.#era) return place
    if (this.#places.size >= PLACES_MAX) this.#places.clear()
    this.#places.set(text, place)
    // It is asked for by its UUID next.
    this.#places.set(place.uuid, place)
    return place
  }

  /** Who started the transaction; that never changes. */
  findStarter(
    transactionId: string,
  ): string | null | undefined | Promise<string | null | undefined> {
    const known = this.#starters.get(transactionId)
    return known !== undefined ? known : this.#readStarter(transactionId)
  }

  async #readStarter(transactionId: string): Promise<string | null | undefined> {
    const starter = await this.#deps.catalog.transactions.findStarter(transactionId)
    if (starter === undefined) return undefined
    if (this.#starters.size >= STARTERS_MAX) this.#starters.clear()
    this.#starters.set(transactionId, starter)
    return starter
  }

  /** Resolves when everything that was committed before the call is known. */
  async catchUp(): Promise<void> {
    // Whoever catches up already may have looked before the change, and tells of its own failure.
    await this.#catching?.catch(() => undefined)
    this.#catching ??= this.#catch().finally(() => {
      this.#catching = undefined
    })
    await this.#catching
  }

  async #catch(): Promise<void> {
    for (;;) {
      const query = { after: this.#after, types: EVENTS, limit: EVENTS_PAGE }
      const page = await this.#deps.catalog.events.list(query)
      if (page.forgotten > this.#after) return this.#load()
      if (page.events.length > 0) await this.#apply(page.events)
      this.#after = page.nextAfter
      if (page.nextAfter >= page.last) return
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      await this.#deps.feed.waitPast(this.#after, { waitMs: WAIT_MS, signal })
      if (signal.aborted) return
      try {
        await this.catchUp()
      } catch (err) {
        this.#deps.log.warn({ err }, 'changes of permissions could not be read; trying again')
        await this.#deps.ambient.sleep(RETRY_MS, signal)
      }
    }
  }

  /** Everything, from a position before which all is in the tables. */
  async #load(): Promise<void> {
    const { grants, events } = this.#deps.catalog
    const { last } = await events.findRange()
    this.#forgetPlaces()
    const all = bySecurable(await grants.listAll())
    await this.#loadGrants([...new Set([...all.keys(), ...this.book.securables])], all)
    await this.#loadPolicies()
    this.book.setRoles(await grants.listRoles())
    await this.#loadKeys()
    this.#after = last
  }

  async #loadGrants(
    securables: readonly string[],
    grants: ReadonlyMap<string, readonly Grant[]>,
  ): Promise<void> {
    const uuids = securables.filter(isPlaceSecurable)
    const places = await this.#deps.catalog.grants.findPlaces(uuids)
    const paths = new Map(places.map((place) => [place.uuid, place.namespaceUuids]))
    for (const securable of securables) {
      this.book.set(securable, grants.get(securable) ?? [], paths.get(securable) ?? [])
    }
  }

  /** Those of all tables, or of these. */
  async #loadPolicies(tableUuids?: readonly string[]): Promise<void> {
    this.#policyLoads++
    const { policies } = this.#deps.catalog
    const found = await (tableUuids === undefined
      ? policies.listAll()
      : policies.listOn(tableUuids))
    const kept = new Map(found.map(({ tableUuid, policy }) => [tableUuid, policy]))
    for (const uuid of [...(tableUuids ?? this.book.restricted), ...kept.keys()]) {
      this.book.setPolicy(uuid, kept.get(uuid))
    }
  }

  /** Again when others are read meanwhile: theirs may be newer. */
  async #loadPolicyOf(tableUuid: string): Promise<void> {
    const before = this.#policyLoads
    const [kept] = await this.#deps.catalog.policies.listOn([tableUuid])
    if (before !== this.#policyLoads) return this.#loadPolicyOf(tableUuid)
    this.book.setPolicy(tableUuid, kept?.policy)
  }

  async #loadKeys(): Promise<void> {
    const found = new Map<string, KeyRecord>()
    for (let after = ''; ; ) {
      const page = await this.#deps.catalog.keys.list({ after, limit: KEYS_PAGE })
      for (const key of page) found.set(key.keyId, key)
      if (page.length < KEYS_PAGE) break
      after = page.at(-1)?.keyId ?? ''
    }
    for (const keyId of this.keys.keys()) if (!found.has(keyId)) this.keys.delete(keyId)
    for (const [keyId, key] of found) this.keys.set(keyId, key)
  }

  async #apply(events: readonly CatalogEvent[]): Promise<void> {
    if (events.some(({ type }) => MOVES.test(type))) this.#forgetPlaces()
    // Written by an older version, which did not say what is gone with it.
    if (events.some((event) => isDropOfNamespace(event) && uuidIn(event) === undefined)) {
      return this.#load()
    }
    await this.#applyToGrants(events)
    for (const { subject, data } of events.filter(is('key'))) await this.#applyToKey(subject, data)
    if (!events.some(is('role'))) return
    // A role that was dropped took its grants with it.
    if (events.some(({ data }) => data['dropped'] === true)) await this.#load()
    else this.book.setRoles(await this.#deps.catalog.grants.listRoles())
  }

  /** Reads again what is granted on everything that the events tell of. */
  async #applyToGrants(events: readonly CatalogEvent[]): Promise<void> {
    const { grants } = this.#deps.catalog
    const securables = new Set<string>()
    for (const event of events) {
      if (is('role')(event) || is('key')(event)) continue
      const { type, subject, data } = event
      const replaced = data['replaced_table_uuid']
      if (typeof replaced === 'string') {
        securables.add(replaced).add(droppedSecurable(replaced))
      }
      if (type.endsWith('.dropped.v1')) securables.add(droppedSecurable(subject))
      if (!is('namespace')(event)) securables.add(subject)
      else {
        const levels = data['namespace'] as readonly string[]
        const uuid = uuidIn(event) ?? (await grants.findPlace({ kind: 'namespace', levels }))?.uuid
        if (uuid !== undefined) securables.add(uuid)
      }
    }
    const list = [...securables]
    await this.#loadPolicies(list)
    await this.#loadGrants(list, bySecurable(await grants.listOn(list)))
  }

  async #applyToKey(subject: string, data: CatalogEvent['data']): Promise<void> {
    const { grants, keys } = this.#deps.catalog
    const keyId = subject.slice('key:'.length)
    const key = await keys.find(keyId)
    if (key !== undefined) this.keys.set(keyId, key)
    if (data['is_admin'] !== true) return
    this.book.set(CATALOG_SECURABLE, await grants.listOn([CATALOG_SECURABLE]), [])
  }

  #forgetPlaces(): void {
    this.#era++
    this.#places.clear()
  }
}

function textOf(key: PlaceKey): string {
  const name = key.kind === 'namespace' ? '' : key.name
  return [key.kind, ...key.levels.map(nameKey), nameKey(name)].join('\u001f')
}

function isDropOfNamespace({ type }: CatalogEvent): boolean {
  return type === 'moraine.namespace.dropped.v1'
}

/** That of a namespace that was dropped, which cannot be found by its name. */
function uuidIn({ data }: CatalogEvent): string | undefined {
  const uuid = data['namespace_uuid']
  return typeof uuid === 'string' ? uuid : undefined
}

/** Whether an event tells of one kind of thing. */
function is(kind: string) {
  return ({ type }: CatalogEvent) => type.startsWith(`moraine.${kind}.`)
}

const MOVES = /\.(?:dropped|renamed|replaced)\.v1$/

function bySecurable(grants: readonly Grant[]): ReadonlyMap<string, readonly Grant[]> {
  const groups = new Map<string, Grant[]>()
  for (const grant of grants) {
    const group = groups.get(grant.securable)
    if (group === undefined) groups.set(grant.securable, [grant])
    else group.push(grant)
  }
  return groups
}
