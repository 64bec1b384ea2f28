import type { JobRecord } from '../../catalog/job-store.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { type Call, defineRoute, type Route, type Tag } from '../../http/route.ts'
import { type Jobs, jobNotFound } from '../../lake/jobs/jobs.ts'
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
  kindsOfAdmins(): readonly string[]
}

const JOBS_TAG: Tag = { name: 'jobs', description: 'Long-running work in the background.' }
const PARAMETERS = { job_id: 'The id returned when the job was requested.' }
const RETRY_AFTER_SECONDS = 2

export function jobRoutes(platform: JobsPlatform): readonly Route[] {
  const { jobs } = platform
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
    async (call) => {
      const { query } = call
      const { page_size, page_token, kind, state } = query
      const found = await jobs.list({
        limit: page_size + 1,
        ...(!(await isAdmin(call)) && { exceptKinds: platform.kindsOfAdmins() }),
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
    async (call) => {
      const { query, closed } = call
      const job = await seenJob(platform, call)
      if (query.wait === 0) return jobReply(job)
      const wait = { waitMs: query.wait * 1000, signal: closed }
      return jobReply(await jobs.waitForEnd(job.jobId, wait))
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
    async (call) => {
      const { jobId } = await seenJob(platform, call)
      return jobReply(await jobs.cancel(jobId, call.query.asker))
    },
  )
  return [listJobs, getJob, cancelJob]
}

type JobCall = Pick<Call<unknown, unknown, 'job_id'>, 'may' | 'param'>

function isAdmin({ may }: Pick<JobCall, 'may'>): Promise<boolean> {
  return may('admin', { on: 'catalog', name: undefined })
}

/** The job of the path. Throws `job-not-found`, also for a job that the caller may not see. */
async function seenJob({ jobs, kindsOfAdmins }: JobsPlatform, call: JobCall): Promise<JobRecord> {
  const job = await jobs.get(call.param('job_id'))
  const isHidden = kindsOfAdmins().includes(job.kind) && !(await isAdmin(call))
  if (isHidden) throw jobNotFound(job.jobId)
  return job
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
