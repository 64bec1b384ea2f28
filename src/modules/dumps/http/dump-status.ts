import type { IncomingMessage } from 'node:http'
import type { JobRecord } from '../../../catalog/job-store.ts'
import { CodedError } from '../../../core/errors.ts'
import { timeText } from '../../../http/common-shapes.ts'
import { problemBody } from '../../../http/problem.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import type { ProblemCode } from '../../../problem/problems.ts'
import { findDumpJob } from '../dump-job.ts'
import { type DumpTarget, fileNameOf, versionOf } from '../dump-key.ts'
import type { DumpState } from '../dumps.ts'
import type { DumpExtension } from '../format/dump-index.ts'
import { requireEdition } from './asked-edition.ts'
import { type DumpCall, type DumpResource, type DumpService, pinnedPath } from './dump-resource.ts'
import { RETRY_AFTER_SECONDS } from './open-bytes.ts'

/** Progress of a dump. Starts nothing. */
export async function answerStatus(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
): Promise<Reply> {
  await requireEdition(service, call, resource, 'starts nothing')
  const state = await stateOf(service, resource.target)
  const isRunning = state.state === 'running'
  return jsonReply(statusToJson(call.request, resource, state), {
    headers: {
      'Cache-Control': 'no-store',
      'Content-Location': pinnedPath(resource.target, '/status'),
      ...(isRunning && { 'Retry-After': String(RETRY_AFTER_SECONDS) }),
    },
  })
}

/** The 202 for a client that does not want to wait. */
export async function answerAccepted(
  { dumps }: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { job, asker }: { readonly job: JobRecord; readonly asker: string },
): Promise<Reply> {
  const state = ofJob(await dumps.state(resource.target), job)
  const job_url = `/v1/jobs/${job.jobId}?asker=${asker}`
  return jsonReply(
    { ...statusToJson(call.request, resource, state), job_url },
    {
      status: 202,
      headers: {
        'Cache-Control': 'no-store',
        Location: pinnedPath(resource.target, '/status'),
        'Retry-After': String(RETRY_AFTER_SECONDS),
        'Preference-Applied': 'respond-async',
      },
    },
  )
}

async function stateOf({ dumps, jobs }: DumpService, target: DumpTarget): Promise<DumpState> {
  const state = await dumps.state(target)
  if (state.state !== 'absent') return state
  return ofJob(state, await findDumpJob(jobs, target))
}

/** What another process does, or has tried, is known from the job alone. */
function ofJob(state: DumpState, job: JobRecord | undefined): DumpState {
  if (state.state !== 'absent' || job === undefined) return state
  if (job.endedAtMs === undefined) {
    const { pieces_done = 0 } = (job.progress ?? {}) as { readonly pieces_done?: number }
    return { state: 'running', pieces: pieces_done }
  }
  if (job.state !== 'failed' || job.problem === undefined) return state
  const { code, detail, facts = {} } = job.problem
  return { state: 'failed', error: new CodedError(code as ProblemCode, detail, { facts }) }
}

function statusToJson(
  request: IncomingMessage,
  { target, validators }: DumpResource,
  state: DumpState,
) {
  return {
    state: state.state,
    table_uuid: target.state.definition.tableUuid,
    snapshot_id: String(target.snapshot.snapshotId),
    schema_id: target.schema.schemaId,
    edition: versionOf(target).edition,
    format: target.format,
    compression: target.compression,
    file_name: fileNameOf(target),
    url: pinnedPath(target),
    etag: validators.etag,
    ...ofState(request, state),
  }
}

function ofState(request: IncomingMessage, state: DumpState) {
  switch (state.state) {
    case 'absent':
      return {}
    case 'running':
      return { pieces_done: state.pieces }
    case 'failed':
      return { problem: problemBody(request, state.error) }
    case 'ready': {
      const { lengthBytes, rowCount, sha256, createdAtMs, extends: base } = state.index
      return {
        bytes: lengthBytes,
        rows: rowCount,
        sha256,
        created_at: timeText(createdAtMs),
        extends: base === undefined ? null : extensionToJson(base),
      }
    }
  }
}

function extensionToJson({ snapshotId, schemaId, edition, fileName, bytes }: DumpExtension) {
  return {
    snapshot_id: String(snapshotId),
    schema_id: schemaId,
    edition,
    file_name: fileName,
    byte: bytes,
  }
}
