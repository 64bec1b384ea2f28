import { z } from 'zod'
import { type CatalogEvent, EVENT_TYPES, type EventType } from '../../catalog/event-store.ts'
import { EXAMPLE_TIME, EXAMPLE_UUID, Time, timeText } from '../../http/common-shapes.ts'

const WAIT_SECONDS_MAX = 60
const SUBJECT_LENGTH_MAX = 1_200
const EVENTS_MAX = 1_000
/** Zero-padded, so that text and number sort alike. */
const SEQUENCE_DIGITS = 19

export const Wait = z.coerce
  .number<string>()
  .min(0)
  .max(WAIT_SECONDS_MAX)
  .default(0)
  .meta({ description: 'Seconds to wait if there is nothing to return yet.', example: 30 })

export const EventsQuery = z.strictObject({
  after: z
    .union(
      [
        z.literal('latest'),
        z
          .string()
          .regex(/^\d{1,19}$/)
          .transform(BigInt),
      ],
      'is not a position: use next_after of the last response, or "latest"',
    )
    .optional()
    .meta({
      description:
        'A position: `next_after` of the last response, or `latest` for future events only. By ' +
        'default, the earliest event that is kept.',
      example: '41',
    }),
  types: z
    .string()
    .max(1_000)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(EVENT_TYPES)))
    .optional()
    .meta({
      description: 'Only these types, separated by commas.',
      example: 'moraine.table.dropped.v1',
    }),
  subject: z
    .string()
    .min(1)
    .max(SUBJECT_LENGTH_MAX)
    .optional()
    .meta({
      description:
        'Only events of the table, view or namespace with this UUID or dotted name. A name means ' +
        'whatever had it at the time.',
      example: 'aviation.flights',
    }),
  limit: z.coerce
    .number<string>()
    .int()
    .min(1)
    .max(EVENTS_MAX)
    .default(100)
    .meta({ description: 'Maximum number of events to return.', example: 100 }),
  wait: Wait,
})

export const CloudEvent = z
  .strictObject({
    specversion: z.literal('1.0'),
    id: z.string().meta({ description: 'Unique; the same event always has the same id.' }),
    source: z.string(),
    type: z.enum(EVENT_TYPES),
    subject: z.string().meta({
      description: 'UUID of the table or view, or dotted name of the namespace.',
    }),
    time: Time,
    datacontenttype: z.literal('application/json'),
    sequence: z.string().meta({ description: 'Position of the event, with leading zeros.' }),
    data: z.record(z.string(), z.unknown()).meta({
      description:
        'Names and ids: `namespace`, `name`, `version`, and more depending on the type ' +
        '(docs/events-and-jobs.md). 64-bit ids are text.',
    }),
  })
  .meta({
    id: 'CloudEvent',
    description: 'An event as in CloudEvents 1.0.',
    example: {
      specversion: '1.0',
      id: 'b0a9ff2f-4d7c-4b60-8ad8-6a1d2e1f0c55',
      source: '/v1',
      type: 'moraine.table.committed.v1',
      subject: EXAMPLE_UUID,
      time: EXAMPLE_TIME,
      datacontenttype: 'application/json',
      sequence: '0000000000000000042',
      data: {
        namespace: ['aviation'],
        name: 'flights',
        version: 7,
        snapshot_id: '4853267719093551',
        schema_id: 0,
        new_snapshots: [
          {
            snapshot_id: '4853267719093551',
            parent_snapshot_id: null,
            sequence_number: '7',
            operation: 'append',
          },
        ],
        transaction_ids: ['c0a8012e-7d3f-4f56-8f0b-1b2f6a0e9d21'],
      },
    },
  })

export const EventsAnswer = z
  .strictObject({
    events: z.array(CloudEvent),
    next_after: z.string().meta({
      description: 'The `after` of the next request. It advances even if no event matched.',
      example: '42',
    }),
  })
  .meta({ id: 'Events', example: { events: [], next_after: '42' } })

export function cloudEventOf(event: CatalogEvent): z.input<typeof CloudEvent> {
  const { eventId, type, subject, timeMs, position, version, data } = event
  return {
    specversion: '1.0',
    id: eventId,
    source: '/v1',
    type: type satisfies EventType,
    subject,
    time: timeText(timeMs),
    datacontenttype: 'application/json',
    sequence: String(position).padStart(SEQUENCE_DIGITS, '0'),
    data: { ...data, version },
  }
}
