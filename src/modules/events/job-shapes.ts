import { z } from 'zod'
import type { JobRecord } from '../../catalog/job-store.ts'
import {
  EXAMPLE_TIME,
  NextPageToken,
  PageQuery,
  Time,
  timeOrNull,
  timeText,
} from '../../http/common-shapes.ts'
import { PROBLEM_CODES, PROBLEMS } from '../../problem/problems.ts'
import { Wait } from './event-shapes.ts'

const JOB_STATES = ['waiting', 'running', 'succeeded', 'failed', 'cancelled'] as const

export const JobPosition = z.tuple([z.int(), z.string().max(100)])

export const JobsQuery = z.strictObject({
  ...PageQuery,
  kind: z
    .string()
    .max(100)
    .optional()
    .meta({ description: 'Only jobs of this kind.', example: 'dump' }),
  state: z.enum(JOB_STATES).optional().meta({ description: 'Only jobs in this state.' }),
})

const Asker = z.string().min(1).max(200).optional()

export const JobQuery = z.strictObject({
  wait: Wait,
  asker: Asker.meta({
    description:
      'As in a `job_url`: by it, who asked for the job reads it without `describe` on the catalog.',
  }),
})

export const CancelQuery = z.strictObject({
  asker: Asker.meta({
    description:
      'Withdraws only the request of this asker, as named when the job was requested; the job ' +
      'continues as long as another asker wants it. Without it, the job is cancelled for all.',
  }),
})

export const Job = z
  .strictObject({
    job_id: z.string(),
    kind: z.string(),
    key: z
      .string()
      .nullable()
      .meta({
        description:
          'What the job is about; at most one job of a kind and key is open at a time. Null for ' +
          'who neither asked for it nor is an administrator.',
      }),
    state: z.enum(JOB_STATES),
    progress: z
      .unknown()
      .meta({ description: 'Progress, depending on the kind; null until reported.' }),
    result: z.unknown().meta({
      description: 'Depends on the kind; null unless it succeeded, or for whom `key` is.',
    }),
    problem: z
      .strictObject({
        type: z.string(),
        detail: z.string(),
        facts: z.record(z.string(), z.unknown()),
      })
      .nullable()
      .meta({ description: 'Why the job, or its last attempt, failed.' }),
    attempts: z
      .int()
      .meta({ description: 'How often it was started: more than once after a failure.' }),
    is_cancelled: z
      .boolean()
      .meta({ description: 'Whether cancelling was requested; the job will stop.' }),
    created_at: Time,
    started_at: Time.nullable(),
    ended_at: Time.nullable(),
  })
  .meta({
    id: 'Job',
    example: {
      job_id: '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
      kind: 'dump',
      key: 'dump of a table',
      state: 'running',
      progress: { pieces_done: 3 },
      result: null,
      problem: null,
      attempts: 1,
      is_cancelled: false,
      created_at: EXAMPLE_TIME,
      started_at: EXAMPLE_TIME,
      ended_at: null,
    },
  })

export const JobsAnswer = z
  .strictObject({ jobs: z.array(Job), next_page_token: NextPageToken })
  .meta({ id: 'Jobs', example: { jobs: [], next_page_token: null } })

export function jobToJson(job: JobRecord): z.input<typeof Job> {
  const { problem } = job
  return {
    job_id: job.jobId,
    kind: job.kind,
    key: job.key,
    state: job.state,
    progress: job.progress ?? null,
    result: job.result ?? null,
    problem:
      problem === undefined
        ? null
        : {
            type: `/problems/${problem.code}`,
            detail: problem.detail,
            facts: problem.facts ?? {},
          },
    attempts: job.attempts,
    is_cancelled: job.isCancelled || job.state === 'cancelled',
    created_at: timeText(job.createdAtMs),
    started_at: timeOrNull(job.startedAtMs),
    ended_at: timeOrNull(job.endedAtMs),
  }
}

/**
 * What everybody may know of a job: its key, its result and the details of its failure may have
 * paths, digests and values of rows.
 */
export function outlineOf(job: JobRecord): z.input<typeof Job> {
  const told = jobToJson(job)
  const { problem } = job
  if (problem === undefined) return { ...told, key: null, result: null }
  const known = PROBLEM_CODES.find((code) => code === problem.code)
  const detail = known === undefined ? 'It failed' : PROBLEMS[known].title
  const outline = { type: `/problems/${problem.code}`, detail, facts: {} }
  return { ...told, key: null, result: null, problem: outline }
}
