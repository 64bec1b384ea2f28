import { z } from 'zod'
import type { AuditRow } from '../../catalog/audit/audit-store.ts'
import type { DayUsage } from '../../catalog/audit/usage-store.ts'
import {
  EXAMPLE_TIME,
  EXAMPLE_UUID,
  NextPageToken,
  PageQuery,
  QueryMoment,
  Time,
  timeText,
} from '../../http/common-shapes.ts'
import type { AuditContent } from './new-audit-row.ts'

const TEXT_LENGTH_MAX = 2_000
const DECISIONS = ['allowed', 'denied', 'hidden', 'unauthenticated'] as const

export const AuditPosition = z.tuple([
  z.int(),
  z
    .string()
    .regex(/^\d{1,19}$/)
    .transform(BigInt),
])
export const UsagePosition = z.tuple([z.string(), z.string(), z.string()])

const Principal = z.string().min(1).max(TEXT_LENGTH_MAX)

/** What may be asked of the rows about one table or view. */
export const TargetAuditQuery = z.strictObject({
  ...PageQuery,
  principal: Principal.optional().meta({
    description: 'Only what this principal did or tried.',
    example: 'key:4q3z8d2k9x1m',
  }),
  action: z.string().min(1).max(100).optional().meta({
    description: 'Only this action: a type of change, or an operation of the API.',
    example: 'table.committed',
  }),
  decision: z
    .string()
    .max(100)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(DECISIONS)))
    .optional()
    .meta({
      description: 'Only these decisions, separated by commas; all but `allowed` are refusals.',
      example: 'denied,hidden',
    }),
  from: QueryMoment.optional(),
  to: QueryMoment.optional(),
})

export const AuditQuery = TargetAuditQuery.extend({
  subject: z
    .string()
    .min(1)
    .max(TEXT_LENGTH_MAX)
    .optional()
    .meta({
      description:
        'Only what was done to this: the UUID of a table or view, which may be dropped; the ' +
        'dotted name of a namespace; `catalog`; `role:<name>`, `key:<id>`.',
      example: EXAMPLE_UUID,
    }),
})

const State = z.record(z.string(), z.unknown()).nullable()

export const AuditLog = z
  .strictObject({
    id: z.string().meta({ description: 'Of a change, the id of its event.' }),
    time: Time,
    principal: z.string().meta({
      description: 'As in permissions; `anonymous`, or `service` for what nobody asked for.',
    }),
    action: z.string(),
    target: z.strictObject({
      kind: z.string(),
      id: z.string().nullable().meta({ description: 'As `subject`; null if there is none.' }),
      name: z.string().meta({ description: 'As it was called, or as the request called it.' }),
    }),
    decision: z.enum(DECISIONS).meta({
      description: '`hidden`: the caller was told that there is no such thing.',
    }),
    status: z.int().nullable().meta({ description: 'Of the response; null for a change.' }),
    request_id: z.string().nullable(),
    path: z
      .string()
      .nullable()
      .meta({
        description:
          'The path of the request, which names the file, dataset or run; null for a change, and ' +
          'where a row stands for requests of several paths.',
      }),
    address: z.string().nullable(),
    count: z.int().meta({
      description: 'Requests of the same second that were alike, if there were very many.',
    }),
    before: State.meta({ description: 'What the change tells of the state before it.' }),
    after: State,
    seal: z.string().nullable().meta({
      description: 'Number of the seal that has the row; null: none has it yet.',
    }),
  })
  .meta({
    id: 'AuditLog',
    example: {
      id: 'b0a9ff2f-4d7c-4b60-8ad8-6a1d2e1f0c55',
      time: EXAMPLE_TIME,
      principal: 'key:4q3z8d2k9x1m',
      action: 'table.renamed',
      target: { kind: 'table', id: EXAMPLE_UUID, name: 'aviation.flights' },
      decision: 'allowed',
      status: null,
      request_id: '5b2c7d9e-0c1f-4a56-8d11-0d8e6a7f3b21',
      path: null,
      address: '10.0.3.7',
      count: 1,
      before: { version: 6, namespace: ['aviation'], name: 'flight' },
      after: { version: 7, namespace: ['aviation'], name: 'flights' },
      seal: null,
    },
  })

export const AuditLogsAnswer = z
  .strictObject({ audit_logs: z.array(AuditLog), next_page_token: NextPageToken })
  .meta({ id: 'AuditLogs', example: { audit_logs: [], next_page_token: null } })

const Day = z.string().regex(/^\d{4}-\d\d-\d\d$/, 'is not a day like 2024-03-17')

export const UsageQuery = z.strictObject({
  ...PageQuery,
  from: Day.optional().meta({ description: 'The first day, in UTC.', example: '2024-03-01' }),
  to: Day.optional().meta({ description: 'The last day, in UTC.', example: '2024-03-31' }),
  principal: Principal.optional().meta({ description: 'Only of this principal.' }),
  namespace: z.string().max(TEXT_LENGTH_MAX).optional().meta({
    description: 'Only in this namespace, dotted; empty: in none.',
    example: 'aviation',
  }),
})

export const Usage = z
  .strictObject({
    day: z.string(),
    principal: z.string(),
    namespace: z.string().meta({
      description: 'Dotted; empty for requests that failed or that are about no namespace.',
    }),
    requests: z.int(),
    bytes_received: z.int().meta({ description: 'Bodies and headers of requests.' }),
    bytes_sent: z.int(),
  })
  .meta({
    id: 'Usage',
    example: {
      ...{ day: '2024-03-17', principal: 'anonymous', namespace: 'aviation' },
      ...{ requests: 41, bytes_received: 20_112, bytes_sent: 7_340_032 },
    },
  })

export const UsageAnswer = z
  .strictObject({ usage: z.array(Usage), next_page_token: NextPageToken })
  .meta({ id: 'UsageByDay', example: { usage: [], next_page_token: null } })

export function auditLogOf(row: AuditRow): z.input<typeof AuditLog> {
  const { rowId, timeMs, principal, action, kind, subject, name, decision, content, seal } = row
  const { count, path = null, before, after, ...told } = JSON.parse(content) as AuditContent
  return {
    ...{ id: rowId, time: timeText(timeMs), principal, action },
    target: { kind, id: subject === '' ? null : subject, name },
    decision,
    ...told,
    path,
    count,
    before: before as z.input<typeof State>,
    after: after as z.input<typeof State>,
    seal: seal === null ? null : String(seal),
  }
}

export function usageOf({ bytesReceived, bytesSent, ...same }: DayUsage): z.input<typeof Usage> {
  return { ...same, bytes_received: bytesReceived, bytes_sent: bytesSent }
}
