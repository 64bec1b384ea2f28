import type { Catalog } from '../../catalog/catalog.ts'
import type { CatalogEvent, EventQuery, EventRange } from '../../catalog/event-store.ts'
import type { EventFeed } from '../../lake/events/event-feed.ts'
import type { Waiters } from '../../lake/jobs/waiters.ts'
import { ProblemError } from '../../problem/problems.ts'

/**
 * Pages of the log that one request reads if its filter matches nothing; the next request continues
 * from there.
 */
const LOOKS_MAX = 10

export interface EventsPlatform {
  readonly catalog: Pick<Catalog, 'events'>
  readonly feed: EventFeed
  readonly waiters: Waiters
}

export type EventsWish = Pick<EventQuery, 'types' | 'exceptTypes' | 'subject' | 'limit'> & {
  /** By default the earliest event that is kept; `latest` for future events only. */
  readonly after?: bigint | 'latest'
  /** How long to wait for the first event. */
  readonly waitMs: number
  readonly signal: AbortSignal
}

export interface ReadEvents {
  readonly events: readonly CatalogEvent[]
  readonly nextAfter: bigint
}

/**
 * The next events. With a wait, returns as soon as there is one, or none when the time is up.
 * Throws `events-expired` if events after the position are no longer kept.
 */
export async function readEvents(platform: EventsPlatform, wish: EventsWish): Promise<ReadEvents> {
  const { events } = platform.catalog
  const range = await events.findRange()
  const after = startOf(wish.after, range)
  if (wish.waitMs === 0) return look(platform, wish, { after, looksMax: LOOKS_MAX })
  return platform.waiters.wait(wish.signal, async (waiting) => {
    const endMs = performance.now() + wish.waitMs
    for (let from = after; ; ) {
      const read = await look(platform, wish, { after: from, looksMax: 1 })
      const leftMs = endMs - performance.now()
      if (read.events.length > 0 || leftMs <= 0 || waiting.aborted) return read
      from = read.nextAfter
      await platform.feed.waitPast(from, { waitMs: leftMs, signal: waiting })
    }
  })
}

function startOf(after: EventsWish['after'], range: EventRange): bigint {
  if (after === undefined) return range.forgotten
  if (after === 'latest') return range.last
  if (after < range.forgotten || after > range.last) throw expired(after, range)
  return after
}

async function look(
  { catalog }: EventsPlatform,
  { types, exceptTypes, subject, limit }: EventsWish,
  { after, looksMax }: { readonly after: bigint; readonly looksMax: number },
): Promise<ReadEvents> {
  const filter = {
    ...(types && { types }),
    ...(exceptTypes && { exceptTypes }),
    ...(subject !== undefined && { subject }),
  }
  let position = after
  for (let looks = 1; ; looks++) {
    const page = await catalog.events.list({ ...filter, after: position, limit })
    // Removed since the first page was read.
    if (page.forgotten > position) throw expired(position, page)
    if (page.events.length > 0 || page.nextAfter === page.last || looks === looksMax) return page
    position = page.nextAfter
  }
}

function expired(after: bigint, { forgotten, last }: EventRange): ProblemError {
  const why =
    after > last
      ? `position ${after} is in the future: it belongs to another catalog, or to this one ` +
        `before it was restored; continue after ${forgotten}`
      : `events after position ${after} are no longer kept: continue after ${forgotten}`
  return new ProblemError('events-expired', why, {
    facts: { earliestAfter: String(forgotten), latest: String(last) },
  })
}
