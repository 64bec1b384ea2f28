import { ACCESS_EVENT_TYPES } from '../../catalog/event-store.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route, type Tag } from '../../http/route.ts'
import { cloudEventOf, EventsAnswer, EventsQuery } from './event-shapes.ts'
import { type EventsPlatform, readEvents } from './read-events.ts'

const EVENTS_TAG: Tag = {
  name: 'events',
  description: 'Changes of tables, views and namespaces, in order.',
}

const DESCRIPTION =
  'Every committed change is one event, written in the same database transaction: a reader that ' +
  'continues from `next_after` misses none and gets none twice. Events of one table come in the ' +
  'order of its versions. Commits that share a snapshot are one event with all their ' +
  'transactions.\n\n' +
  'With `wait`, the response comes as soon as there is an event, so that a loop of requests ' +
  'follows the catalog without polling. Events are kept for 30 days; an older position is a 410 ' +
  'that says where to continue.\n\n' +
  'Events of keys, roles and permissions are shown to those only who have `admin`.'

export function eventRoutes(platform: EventsPlatform): readonly Route[] {
  const listEvents = defineRoute(
    {
      method: 'get',
      path: '/v1/events',
      operationId: 'listEvents',
      tag: EVENTS_TAG,
      summary: 'List events, or wait for the next',
      description: DESCRIPTION,
      permission: onCatalog('describe'),
      query: EventsQuery,
      answers: [{ status: 200, description: 'Events, oldest first.', shape: EventsAnswer }],
      problems: ['events-expired', 'overloaded'],
      curl: 'curl "$MORAINE/v1/events?after=latest&types=moraine.table.committed.v1&wait=30"',
    },
    async ({ query, closed, may }) => {
      const isAdmin = await may('admin', { on: 'catalog', name: undefined })
      const { after, types, subject, limit, wait } = query
      const read = await readEvents(platform, {
        ...(after !== undefined && { after }),
        ...(types !== undefined && { types }),
        ...(!isAdmin && { exceptTypes: ACCESS_EVENT_TYPES }),
        ...(subject !== undefined && { subject }),
        limit,
        waitMs: wait * 1000,
        signal: closed,
      })
      return jsonReply(
        { events: read.events.map(cloudEventOf), next_after: String(read.nextAfter) },
        { headers: { 'Cache-Control': 'no-store' } },
      )
    },
  )
  return [listEvents]
}
