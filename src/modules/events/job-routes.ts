import type { JobRecord } from '../../catalog/job-store.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import { nameOfPrincipal, type Target } from '../../http/authorizer.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply, type Reply } from '../../http/reply.ts'
import { type Call, defineRoute, type Route, type Tag } from '../../http/route.ts'
import { askersOf } from '../../lake/jobs/asker-name.ts'
import type { JobKind, OfAskers } from '../../lake/jobs/job-kind.ts'
import { type Jobs, jobNotFound } from '../../lake/jobs/jobs.ts'
import {
  CancelQuery,
  Job,
  JobPosition,
  JobQuery,
  JobsAnswer,
  JobsQuery,
  jobToJson,
  outlineOf,
} from './job-shapes.ts'

export interface JobsPlatform {
  readonly jobs: Jobs
  jobKinds(): readonly JobKind[]
}

const JOBS_TAG: Tag = { name: 'jobs', description: 'Long-running work in the background.' }
const PARAMETERS = { job_id: 'The id returned when the job was requested.' }
const RETRY_AFTER_SECONDS = 2
const OUTLINE =
  'Lists tell the key, the result and what is wrong in particular to administrators only; of one ' +
  'job, so does its address, and to whoever asked for it.'
const CATALOG: Target = { on: 'catalog', name: undefined }

export function jobRoutes(platform: JobsPlatform): readonly Route[] {
  const { jobs } = platform
  const listJobs = defineRoute(
    {
      method: 'get',
      path: '/v1/jobs',
      operationId: 'listJobs',
      tag: JOBS_TAG,
      summary: 'List jobs, newest first',
      description:
        `Jobs are kept for a week after they ended. ${OUTLINE} Runs of exports are in it for ` +
        'administrators only; others find theirs at its address.',
      permission: onCatalog('describe'),
      query: JobsQuery,
      answers: [{ status: 200, description: 'One page of jobs.', shape: JobsAnswer }],
      problems: ['page-token-invalid'],
      curl: 'curl "$MORAINE/v1/jobs?state=running"',
    },
    async (call) => {
      const { query } = call
      const { page_size, page_token, kind, state } = query
      const isTold = await isAdmin(call)
      const found = await jobs.list({
        limit: page_size + 1,
        ...(!isTold && { exceptKinds: kindsOfAskers(platform) }),
        ...(kind !== undefined && { kind }),
        ...(state !== undefined && { state }),
        ...(page_token !== undefined && { before: positionOf(page_token) }),
      })
      const { items, nextPageToken } = cutPage(found, page_size, (last) => [
        last.createdAtMs,
        last.jobId,
      ])
      const told = items.map(isTold ? jobToJson : outlineOf)
      return jsonReply({ jobs: told, next_page_token: nextPageToken })
    },
  )

  return [listJobs, getJob(platform), cancelJob(platform)]
}

const getJob = (platform: JobsPlatform) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/jobs/{job_id}',
      parameters: PARAMETERS,
      operationId: 'getJob',
      tag: JOBS_TAG,
      summary: 'Get the progress or result of a job',
      description:
        'With `wait`, responds when the job has ended or the time is up. Whoever asked for the ' +
        `job sees it, at its \`job_url\`; others need \`describe\` on the catalog. ${OUTLINE} ` +
        'Runs of exports are seen by no others but administrators and, where the schedule asked, ' +
        'whoever may export the task.',
      permission: 'in-use-case',
      query: JobQuery,
      answers: [{ status: 200, description: 'The job.', shape: Job }],
      problems: ['job-not-found', 'overloaded'],
      curl: 'curl "$MORAINE/v1/jobs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11?wait=30"',
    },
    async (call) => {
      const { query, closed } = call
      const asker = await authorizeOn(platform, call, 'describe')
      const { job } = await seenJob(platform, call, asker)
      const isTold = asker !== undefined || (await isAdmin(call))
      if (query.wait === 0) return jobReply(job, isTold)
      const wait = { waitMs: query.wait * 1000, signal: closed }
      return jobReply(await platform.jobs.waitForEnd(job.jobId, wait), isTold)
    },
  )

const cancelJob = (platform: JobsPlatform) =>
  defineRoute(
    {
      method: 'delete',
      path: '/v1/jobs/{job_id}',
      parameters: PARAMETERS,
      operationId: 'cancelJob',
      tag: JOBS_TAG,
      summary: 'Cancel a job, or withdraw one request for it',
      description:
        'A running job stops within seconds, with `is_cancelled` set until then. A job that has ' +
        'ended stays as it is. Without `modify` on the catalog (for a run of an export: `admin`) ' +
        'one can only withdraw what one asked for oneself, or, with `export` on the task, what ' +
        'its schedule asked for.',
      permission: 'in-use-case',
      query: CancelQuery,
      answers: [{ status: 200, description: 'The job as it is now.', shape: Job }],
      problems: ['job-not-found'],
      curl: 'curl -X DELETE $MORAINE/v1/jobs/0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11',
    },
    async (call) => {
      const asker = await authorizeOn(platform, call, 'modify')
      const { job, ofAskers } = await seenJob(platform, call, asker)
      const { jobId } = job
      const privilege = ofAskers === undefined ? 'modify' : 'admin'
      const mayAll = asker === undefined || (await call.may(privilege, CATALOG))
      await ofAskers?.noteCancel(job, call.origin)
      const isTold = asker !== undefined || (await isAdmin(call))
      const withdrawn = mayAll ? call.query.asker : asker
      return jobReply(await platform.jobs.cancel(jobId, withdrawn), isTold)
    },
  )
type JobCall = Pick<
  Call<{ readonly asker?: string | undefined }, unknown, 'job_id'>,
  'authorize' | 'may' | 'origin' | 'param' | 'principal' | 'query'
>

function isAdmin({ may }: Pick<JobCall, 'may'>): Promise<boolean> {
  return may('admin', CATALOG)
}

/**
 * Under which name the caller has asked for the job. Throws `permission-denied` for others who lack
 * the privilege on the catalog.
 */
async function authorizeOn(
  platform: JobsPlatform,
  call: JobCall,
  privilege: Privilege,
): Promise<string | undefined> {
  const { param, principal, query, authorize, may } = call
  const askers = askersOf(nameOfPrincipal(principal), query.asker)
  const own = await platform.jobs.findAsker(param('job_id'), askers)
  const asker = own ?? (await asSchedule(platform, call))
  if (asker === undefined) await authorize(privilege, [CATALOG])
  else await may(privilege, CATALOG)
  return asker
}

/** The name of the schedule that has asked for the job, if the caller may do so for it. */
async function asSchedule(
  platform: JobsPlatform,
  { may, param }: JobCall,
): Promise<string | undefined> {
  const job = await platform.jobs.find(param('job_id'))
  const ofAskers = job && ofAskersOf(platform, job)
  if (job === undefined || ofAskers === undefined) return undefined
  const asker = await platform.jobs.findAsker(job.jobId, [ofAskers.schedule])
  const { privilege, ...target } = ofAskers.permission(job)
  return asker !== undefined && (await may(privilege, target)) ? asker : undefined
}

function ofAskersOf({ jobKinds }: JobsPlatform, job: JobRecord): OfAskers | undefined {
  return jobKinds().find(({ kind }) => kind === job.kind)?.ofAskers
}

function kindsOfAskers({ jobKinds }: JobsPlatform): readonly string[] {
  return jobKinds().flatMap(({ kind, ofAskers }) => (ofAskers === undefined ? [] : [kind]))
}

/** The job of the path. Throws `job-not-found`, also for a job that the caller may not see. */
async function seenJob(
  platform: JobsPlatform,
  call: JobCall,
  asker: string | undefined,
): Promise<{ readonly job: JobRecord; readonly ofAskers: OfAskers | undefined }> {
  const job = await platform.jobs.get(call.param('job_id'))
  const ofAskers = ofAskersOf(platform, job)
  const isHidden = ofAskers !== undefined && asker === undefined && !(await isAdmin(call))
  if (isHidden) throw jobNotFound(job.jobId)
  return { job, ofAskers }
}

function positionOf(token: string): Pick<JobRecord, 'createdAtMs' | 'jobId'> {
  const [createdAtMs, jobId] = parsePageToken(token, JobPosition)
  return { createdAtMs, jobId }
}

function jobReply(job: JobRecord, isTold: boolean): Reply {
  const isOpen = job.endedAtMs === undefined
  return jsonReply(isTold ? jobToJson(job) : outlineOf(job), {
    headers: {
      'Cache-Control': 'no-store',
      ...(isOpen && { 'Retry-After': String(RETRY_AFTER_SECONDS) }),
    },
  })
}
