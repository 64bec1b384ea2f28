import type { DayUsage } from '../../catalog/audit/usage-store.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import { BoundedMap } from '../../core/bounded-map.ts'
import type { Log } from '../../core/log.ts'
import { dayOf } from '../../core/value/date-time.ts'
import type { Target } from '../../http/authorizer.ts'
import { counter, type Meter } from '../../http/metrics.ts'
import type { EndedRequest } from '../../http/serve/request-notes.ts'
import { identifierOf } from './target-names.ts'

const FLUSH_MS = 10_000
/** Pairs of a principal and a namespace between two flushes; more count as `other`. */
const PAIRS_MAX = 5_000
/** Pairs that metrics have labels for, until the process ends; more count as `other`. */
const LABELS_MAX = 200
const OTHER = 'other'
const NAMESPACES_KEPT = 10_000
const LOOKUPS_MAX = 200

export interface UsageDependencies {
  readonly catalog: Pick<Catalog, 'usage' | 'tables' | 'views'>
  readonly ambient: Pick<Ambient, 'nowMs'>
  readonly log: Log
}

interface Count {
  readonly day: string
  readonly principal: string
  /** Dotted, or the id of a table or view whose namespace is yet to be found. */
  readonly place: Place
  requests: number
  bytesReceived: number
  bytesSent: number
}

type Place = { readonly namespace: string } | { readonly on: 'table' | 'view'; readonly id: string }

/** Requests and bytes by principal and namespace, in memory until they are written. */
export class UsageCounts {
  readonly #deps: UsageDependencies
  readonly #requests = counter(
    'moraine_usage_requests_total',
    'Requests by principal and namespace; `other` beyond the first 200 pairs.',
    ['principal', 'namespace'],
  )
  readonly #bytes = counter(
    'moraine_usage_bytes_total',
    'Bytes by principal, namespace and direction; `other` beyond the first 200 pairs.',
    ['principal', 'namespace', 'direction'],
  )
  readonly #labelled = new Set<string>()
  readonly #namespaces = new BoundedMap<string, string>(NAMESPACES_KEPT)
  #counts = new Map<string, Count>()
  #flushedAtMs = performance.now()
  #flushing: Promise<void> | undefined

  constructor(deps: UsageDependencies) {
    this.#deps = deps
  }

  add(request: EndedRequest): void {
    const { route, principal, bytesReceived, bytesSent } = request
    if (route === undefined || route.permission === 'public') return
    const day = dayOf(this.#deps.ambient.nowMs())
    const place = this.#placeOf(request)
    const count = this.#countOf({ day, principal, place })
    count.requests++
    count.bytesReceived += bytesReceived
    count.bytesSent += bytesSent
  }

  meters(): readonly Meter[] {
    return [this.#requests, this.#bytes]
  }

  async flushIfDue(): Promise<void> {
    if (performance.now() - this.#flushedAtMs >= FLUSH_MS) await this.flush()
  }

  /** Never throws: what could not be written is added to what comes. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #flush(): Promise<void> {
    this.#flushedAtMs = performance.now()
    const counts = this.#counts
    if (counts.size === 0) return
    this.#counts = new Map()
    const { catalog, log } = this.#deps
    try {
      const usage = await this.#usageOf([...counts.values()])
      await catalog.usage.add(usage)
      for (const each of usage) this.#show(each)
    } catch (err) {
      log.warn({ err }, 'usage could not be written; trying again')
      for (const { requests, bytesReceived, bytesSent, ...key } of counts.values()) {
        const count = this.#countOf(key)
        count.requests += requests
        count.bytesReceived += bytesReceived
        count.bytesSent += bytesSent
      }
    }
  }

  #countOf(key: Pick<Count, 'day' | 'principal' | 'place'>): Count {
    const { day, principal, place } = key
    const id = `${day}\0${principal}\0${'id' in place ? place.id : `.${place.namespace}`}`
    const known = this.#counts.get(id)
    if (known !== undefined) return known
    if (this.#counts.size >= PAIRS_MAX && principal !== OTHER) {
      return this.#countOf({ day, principal: OTHER, place: { namespace: OTHER } })
    }
    const count = { ...key, requests: 0, bytesReceived: 0, bytesSent: 0 }
    this.#counts.set(id, count)
    return count
  }

  /** Requests that failed are in no namespace: anybody may invent the name of one. */
  #placeOf({ status, asked }: EndedRequest): Place {
    if (status >= 400) return { namespace: '' }
    for (const { target } of asked) {
      const place = placeOf(target)
      if (place !== undefined) return place
    }
    return { namespace: '' }
  }

  /** One row for each day, principal and namespace. */
  async #usageOf(counts: readonly Count[]): Promise<readonly DayUsage[]> {
    const usage = new Map<string, DayUsage>()
    await this.#lookAll(counts)
    for (const { place, ...count } of counts) {
      const found = 'id' in place ? this.#namespaces.get(place.id) : place.namespace
      const namespace = found ?? ''
      const { day, principal } = count
      const id = [day, principal, namespace].join('\0')
      const sum = usage.get(id) ?? { requests: 0, bytesReceived: 0, bytesSent: 0 }
      usage.set(id, {
        ...{ day, principal, namespace },
        requests: sum.requests + count.requests,
        bytesReceived: sum.bytesReceived + count.bytesReceived,
        bytesSent: sum.bytesSent + count.bytesSent,
      })
    }
    return [...usage.values()]
  }

  /** First what was never looked at; the others may have been moved to another namespace since. */
  async #lookAll(counts: readonly Count[]): Promise<void> {
    const places = new Map(
      counts.flatMap(({ place }) => ('id' in place ? [[place.id, place] as const] : [])),
    )
    const isKnown = ({ id }: { readonly id: string }) => this.#namespaces.get(id) !== undefined
    const all = [...places.values()]
    const inOrder = [...all.filter((place) => !isKnown(place)), ...all.filter(isKnown)]
    for (const place of inOrder.slice(0, LOOKUPS_MAX)) await this.#look(place)
  }

  async #look({ on, id }: { readonly on: 'table' | 'view'; readonly id: string }): Promise<void> {
    const { tables, views } = this.#deps.catalog
    const found = await (on === 'table'
      ? tables.find({ tableUuid: id })
      : views.find({ viewUuid: id }))
    if (found !== undefined) this.#namespaces.set(id, found.namespace.join('.'))
  }

  #show({ principal, namespace, requests, bytesReceived, bytesSent }: DayUsage): void {
    const pair = `${principal}\0${namespace}`
    const isShown = this.#labelled.has(pair) || this.#labelled.size < LABELS_MAX
    if (isShown) this.#labelled.add(pair)
    const labels = isShown ? { principal, namespace } : { principal: OTHER, namespace: OTHER }
    this.#requests.inc(labels, requests)
    this.#bytes.inc({ ...labels, direction: 'received' }, bytesReceived)
    this.#bytes.inc({ ...labels, direction: 'sent' }, bytesSent)
  }
}

function placeOf(target: Target): Place | undefined {
  const { on } = target
  if (on === 'catalog' || on === 'transaction' || on === 'export') return undefined
  if (on === 'namespace') return { namespace: target.name.join('.') }
  const key = identifierOf(target)
  if (key === undefined) return undefined
  return 'tableUuid' in key ? { on, id: key.tableUuid } : { namespace: key.namespace.join('.') }
}
