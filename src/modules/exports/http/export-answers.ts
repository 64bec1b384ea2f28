import type { ServerResponse } from 'node:http'
import type { JobRecord } from '../../../catalog/job-store.ts'
import { contentRange, parseRange } from '../../../http/byte-range.ts'
import { timeOrNull, timeText } from '../../../http/common-shapes.ts'
import { contentDisposition, reprDigest } from '../../../http/http-fields.ts'
import { isRangeCurrent, judgePreconditions } from '../../../http/preconditions.ts'
import type { Reply } from '../../../http/reply.ts'
import type { Call } from '../../../http/route.ts'
import { ProblemError } from '../../../problem/problems.ts'
import type { DumpStreams } from '../../dumps/http/dump-streams.ts'
import type { ExportFiles } from '../export-files.ts'
import type { ExportReceipt } from '../export-note.ts'
import { countsOf } from '../run-log.ts'

/**
 * All of a file, a part of it, or that the client has it. Throws `precondition-failed` and
 * `range-not-satisfiable`.
 */
export function fileReply(
  { files, streams }: { readonly files: ExportFiles; readonly streams: DumpStreams },
  { request, closed }: Pick<Call<unknown, unknown>, 'request' | 'closed'>,
  receipt: ExportReceipt,
): Reply {
  const { headers: asked, method } = request
  const validators = {
    etag: `"${receipt.sha256}"`,
    lastModifiedMs: Date.parse(receipt.exported_at),
    isDateExact: true,
  }
  const headers = {
    ETag: validators.etag,
    'Last-Modified': new Date(validators.lastModifiedMs).toUTCString(),
    'Cache-Control': 'private, max-age=31536000, immutable',
    'Accept-Ranges': 'bytes',
    'Content-Disposition': contentDisposition(receipt.file),
    'Repr-Digest': reprDigest(receipt.sha256),
  }
  const verdict = judgePreconditions(asked, validators)
  if (verdict === 'failed') {
    throw new ProblemError('precondition-failed', `The file has the ETag ${validators.etag}`)
  }
  const end = (response: ServerResponse) => void response.end()
  if (verdict === 'not-modified') return { status: 304, mediaType: '', headers, body: end }
  const mediaType = receipt.file.endsWith('.gz') ? 'application/gzip' : 'text/csv; charset=utf-8'
  const range = isRangeCurrent(asked, validators) ? asked.range : undefined
  const wanted = parseRange(method === 'HEAD' ? undefined : range, receipt.bytes)
  if (wanted.outcome === 'unsatisfiable') {
    const detail = `${receipt.file} has ${receipt.bytes} bytes: the range starts beyond its end`
    throw new ProblemError('range-not-satisfiable', detail, {
      facts: { lengthBytes: receipt.bytes },
    })
  }
  const part = wanted.outcome === 'part' ? wanted.range : { start: 0, end: receipt.bytes }
  const told = {
    ...headers,
    'Content-Length': String(part.end - part.start),
    ...(wanted.outcome === 'part' && { 'Content-Range': contentRange(part, receipt.bytes) }),
  }
  if (method === 'HEAD') return { status: 200, mediaType, headers: told, body: end }
  streams.enter(closed)
  return {
    status: wanted.outcome === 'part' ? 206 : 200,
    mediaType,
    headers: told,
    body: (response) => streams.send(response, files.read(receipt, part.start, part.end)),
  }
}

export function fileToJson(receipt: ExportReceipt) {
  const { task, ...rest } = receipt
  return { ...rest, url: `/v1/exports/${task}/files/${receipt.file}` }
}

export function runToJson(job: JobRecord) {
  const { problem } = job
  return {
    run_id: job.jobId,
    task: job.key,
    state: job.state,
    is_cancelled: job.isCancelled,
    url: `/v1/exports/${job.key}/runs/${job.jobId}`,
    progress: countsOf(job.progress),
    result: job.result ?? null,
    problem: problem === undefined ? null : { type: `/problems/${problem.code}`, ...problem },
    attempts: job.attempts,
    created_at: timeText(job.createdAtMs),
    started_at: timeOrNull(job.startedAtMs),
    ended_at: timeOrNull(job.endedAtMs),
  }
}
