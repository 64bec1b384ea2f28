import type { JobRecord } from '../../catalog/job-store.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route, type Tag } from '../../http/route.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import {
  CancelQuery,
  Job,
  JobPosition,
  JobQuery,
  JobsAnswer,
  JobsQuery,
  jobToJson,
} from './job-shapes.ts'

export interface JobsPlatform {
  readonly jobs: Jobs
}

const JOBS_TAG: Tag = { name: 'jobs', description: 'Long-running work in the background.' }
const PARAMETERS = { job_id: 'The id returned when the job was requested.' }
const RETRY_AFTER_SECONDS = 2

export function jobRoutes({ jobs }: JobsPlatform): readonly Route[] {
  const listJobs = defineRoute(
    {
      method: 'get',
      path: '/v1/jobs',
      operationId: 'listJobs',
      tag: JOBS_TAG,
      summary: 'List jobs, newest first',
      description: 'Jobs are kept for a week after they ended.',
      permission: onCatalog('describe'),
      query: JobsQuery,
      answers: [{ status: 200, description: 'One page of jobs.', shape: JobsAnswer }],
      problems: ['page-token-invalid'],
      curl: 'curl "$MORAINE/v1/jobs?state=running"',
    },
    async ({ query }) => {
      const { page_size, page_token, kind, state } = query
      const found = await jobs.list({
        limit: page_size + 1,
        ...(kind !== undefined && { kind }),
        ...(state !== undefined && { state }),
        ...(page_token !== undefined && { before: positionOf(page_token) }),
      })
      const { items, nextPageToken } = cutPage(found, page_size, (last) => [
        last.createdAtMs,
        last.jobId,
      ])
      return jsonReply({ jobs: items.map(jobToJson), next_page_token: nextPageToken })
    },
  )

  const getJob = defineRoute(
    {
      method: 'get',
      path: '/v1/jobs/{job_id}',
      parameters: PARAMETERS,
      operationId: 'getJob',
      tag: JOBS_TAG,
      summary: 'Get the progress or result of a job',
      description: 'With `wait`, responds when the job has ended or the time is up.',
      permission: onCatalog('describe'),
      query: JobQuery,
      answers: [{ status: 200, description: 'The job.', shape: Job }],
      problems: ['job-not-found', 'overloaded'],
      curl: 'curl "$MORAINE/v1/jobs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11?wait=30"',
    },
    async ({ query, closed, param }) => {
      const jobId = param('job_id')
      if (query.wait === 0) return jobReply(await jobs.get(jobId))
      const wait = { waitMs: query.wait * 1000, signal: closed }
      return jobReply(await jobs.waitForEnd(jobId, wait))
    },
  )

  const cancelJob = defineRoute(
    {
      method: 'delete',
      path: '/v1/jobs/{job_id}',
      parameters: PARAMETERS,
      operationId: 'cancelJob',
      tag: JOBS_TAG,
      summary: 'Cancel a job, or withdraw one request for it',
      description:
        'A running job stops within seconds, with `is_cancelled` set until then. A job that has ' +
        'ended stays as it is.',
      permission: onCatalog('modify'),
      query: CancelQuery,
      answers: [{ status: 200, description: 'The job as it is now.', shape: Job }],
      problems: ['job-not-found'],
      curl: 'curl -X DELETE $MORAINE/v1/jobs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
    },
    async ({ query, param }) => jobReply(await jobs.cancel(param('job_id'), query.asker)),
  )
  return [listJobs, getJob, cancelJob]
}

function positionOf(token: string): Pick<JobRecord, 'createdAtMs' | 'jobId'> {
  const [createdAtMs, jobId] = parsePageToken(token, JobPosition)
  return { createdAtMs, jobId }
}

function jobReply(job: JobRecord): Reply {
  const isOpen = job.endedAtMs === undefined
  return jsonReply(jobToJson(job), {
    headers: {
      'Cache-Control': 'no-store',
      ...(isOpen && { 'Retry-After': String(RETRY_AFTER_SECONDS) }),
    },
  })
}
