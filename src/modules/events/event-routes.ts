import { onCatalog } from '../../http/permission.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route, type Tag } from '../../http/route.ts'
import { cloudEventOf, EventsAnswer, EventsQuery } from './event-shapes.ts'
import { type EventsPlatform, readEvents } from './read-events.ts'

const EVENTS_TAG: Tag = {
  name: 'events',
  description: 'What happened to tables, views and namespaces, in order.',
}

const DESCRIPTION = `Every change that was committed is one event, written in its own database
transaction: none is missed, and none comes twice to a reader that goes on from \`next_after\`. The
events of one table come in the order of its versions. Commits that share a snapshot are one event
with all their transactions.

With \`wait\` an answer comes as soon as there is an event, so that a loop of requests follows the
catalog without polling. Events are kept for 30 days; a position from before is a 410 that says
where to begin again.`

export function eventRoutes(platform: EventsPlatform): readonly Route[] {
  const listEvents = defineRoute(
    {
      method: 'get',
      path: '/v1/events',
      operationId: 'listEvents',
      tag: EVENTS_TAG,
      summary: 'What happened since, or the next thing that does',
      description: DESCRIPTION,
      permission: onCatalog('describe'),
      query: EventsQuery,
      answers: [{ status: 200, description: 'Oldest first.', shape: EventsAnswer }],
      problems: ['events-expired', 'overloaded'],
      curl: 'curl "$MORAINE/v1/events?after=latest&types=moraine.table.committed.v1&wait=30"',
    },
    async ({ query, closed }) => {
      const { after, types, subject, limit, wait } = query
      const read = await readEvents(platform, {
        ...(after !== undefined && { after }),
        ...(types !== undefined && { types }),
        ...(subject !== undefined && { subject }),
        ...{ limit, waitMs: wait * 1000, signal: closed },
      })
      return jsonReply(
        { events: read.events.map(cloudEventOf), next_after: String(read.nextAfter) },
        { headers: { 'Cache-Control': 'no-store' } },
      )
    },
  )
  return [listEvents]
}
