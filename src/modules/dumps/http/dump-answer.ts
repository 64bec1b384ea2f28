import type { ServerResponse } from 'node:http'
import { nameOfPrincipal } from '../../../http/authorizer.ts'
import { contentRange, parseRange } from '../../../http/byte-range.ts'
import { reprDigest } from '../../../http/http-fields.ts'
import { isRangeCurrent, judgePreconditions, saysWhichState } from '../../../http/preconditions.ts'
import { type Preferences, parsePrefer, Wait } from '../../../http/prefer.ts'
import type { Reply } from '../../../http/reply.ts'
import { requestAsker } from '../../../lake/jobs/asker-name.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { askForDump } from '../dump-job.ts'
import { fileNameOf, mediaTypeOf } from '../dump-key.ts'
import type { DumpProgress } from '../dump-progress.ts'
import type { DumpIndex } from '../format/dump-index.ts'
import { hadOtherBytes, requireEdition } from './asked-edition.ts'
import {
  cacheHeaders,
  type DumpCall,
  type DumpResource,
  type DumpService,
  fileHeaders,
  pinnedPath,
} from './dump-resource.ts'
import { answerAccepted } from './dump-status.ts'
import { headLinkReply, isLinkWanted, joinSoon, linkReply, requireLinks } from './link-answer.ts'
import {
  forgetIfVanished,
  notReady,
  type OpenedBytes,
  openDump,
  openProgress,
  openRange,
  waitForIndex,
} from './open-bytes.ts'

/** The response to GET and HEAD at every address of a dump: the file, or a range of it. */
export async function answerDump(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
): Promise<Reply> {
  const { headers, method } = call.request
  requireLinks(service, resource)
  const patience = new Patience(service, parsePrefer(headers['prefer']))
  const mayStart = method === 'HEAD' ? 'starts nothing' : { waitMs: patience.editionMs }
  await requireEdition(service, call, resource, mayStart)
  const verdict = judgePreconditions(headers, resource.validators)
  if (verdict === 'failed') throw preconditionFailed(resource)
  if (verdict === 'not-modified') {
    const end = (response: ServerResponse) => void response.end()
    return { status: 304, mediaType: '', headers: cacheHeaders(resource), body: end }
  }
  if (method === 'HEAD') return answerHead(service, call, resource, patience)
  const range = wantedRange(call, resource)
  if (range !== undefined && resource.isMoving && !saysWhichState(headers)) {
    throw preconditionRequired(resource)
  }
  service.streams.enter(call.closed)
  // A client that waits for its first byte is not idle.
  call.request.socket.setTimeout(0)
  try {
    return await answerGet(service, call, resource, { range, patience })
  } catch (error) {
    // Nothing was sent yet: make the dump again at once, or name the missing data file.
    if (!(await forgetIfVanished(service, call, resource, error))) throw error
    return answerGet(service, call, resource, { range, patience })
  }
}

/** What a request prefers to wait for its answer, wherever the time goes. */
class Patience {
  readonly isAsync: boolean
  readonly #wait = new Wait()
  readonly #seconds: number | undefined
  readonly #msMax: number

  constructor({ streams }: DumpService, { isAsync, waitSeconds }: Preferences) {
    this.isAsync = isAsync
    this.#seconds = waitSeconds
    this.#msMax = streams.limits.indexWaitMs
  }

  /** What is left, in milliseconds; `undefined` if the request does not say. */
  get leftMs(): number | undefined {
    if (this.#seconds === undefined) return undefined
    return Math.min(this.#wait.leftMs(this.#seconds), this.#msMax)
  }

  /** How long it waits for a dump to compare with. */
  get editionMs(): number {
    return this.leftMs ?? (this.isAsync ? 0 : this.#msMax)
  }
}

/** The Range header, if it is valid and its conditions hold. */
function wantedRange({ request }: DumpCall, { validators }: DumpResource): string | undefined {
  const { range } = request.headers
  const isPart = parseRange(range, Number.MAX_SAFE_INTEGER).outcome !== 'whole'
  return isPart && isRangeCurrent(request.headers, validators) ? range : undefined
}

/** Neither starts the dump nor waits for it, unless `Prefer: wait` asks for that. */
async function answerHead(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { leftMs }: Patience,
): Promise<Reply> {
  const { dumps } = service
  const index =
    leftMs === undefined
      ? await dumps.find(resource.target)
      : await waitForIndex(await openDump(service, call, resource.target), leftMs, call.closed)
  const link = index && (await headLinkReply(service, resource, index))
  if (link !== undefined) return link
  const told = index === undefined ? fileHeaders(resource) : wholeHeaders(resource, index)
  // Readers by ranges take another tag, as the store's is, for another file.
  const { ETag: _, ...untagged } = told
  const headers = isLinkWanted(service, call, resource) ? untagged : told
  const end = (response: ServerResponse) => void response.end()
  return { status: 200, mediaType: mediaTypeOf(resource.target), headers, body: end }
}

async function answerGet(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { range, patience }: Asked,
): Promise<Reply> {
  const { dumps } = service
  const { limits } = service.streams
  if (patience.isAsync) return answerAsync(service, call, resource, { range, patience })
  const before = await dumps.state(resource.target)
  const opened = await openDump(service, call, resource.target)
  // After a failure, wait for the whole file: another half file would not tell the reason.
  const isWholeNeeded =
    range !== undefined || before.state === 'failed' || resource.redirect === 'always'
  const patienceMs = isWholeNeeded ? limits.indexWaitMs : limits.firstWaitMs
  const index = await waitForIndex(opened, patience.leftMs ?? patienceMs, call.closed)
  if (index !== undefined) return indexReply(service, call, resource, { index, range, patience })
  joinSoon(service, call, resource, (opened as DumpProgress).done)
  if (isWholeNeeded) throw notReady(resource.target)
  const bytes = await openProgress(service, call, opened as DumpProgress)
  return bytesReply(service, call, resource, { status: 200, headers: fileHeaders(resource), bytes })
}

interface Asked {
  readonly range: string | undefined
  readonly patience: Patience
}

/** The dump if it is there, or in the time that the client gives; else a job makes it. */
async function answerAsync(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { range, patience }: Asked,
): Promise<Reply> {
  const { ambient, dumps, jobs } = service
  const { target } = resource
  const made = await dumps.find(target)
  if (made !== undefined) {
    return indexReply(service, call, resource, { index: made, range, patience })
  }
  call.requireOwnSite()
  const asker = requestAsker(nameOfPrincipal(call.principal), ambient.newUuid())
  const { jobId } = await askForDump(jobs, target, asker)
  const { leftMs: waitMs = 0 } = patience
  const wait = { waitMs, signal: call.closed }
  const waited = waitMs === 0 ? undefined : await jobs.waitIfRoom(jobId, wait)
  const job = waited ?? (await jobs.get(jobId))
  const index = job.state === 'succeeded' ? await dumps.find(target) : undefined
  if (index !== undefined) return indexReply(service, call, resource, { index, range, patience })
  return answerAccepted(service, call, resource, { job, asker })
}

async function indexReply(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { index, range, patience }: Asked & { readonly index: DumpIndex },
): Promise<Reply> {
  const { lengthBytes } = index
  if (range !== undefined && resource.asked === undefined && hadOtherBytes(index)) {
    if (!saysWhichState(call.request.headers)) throw preconditionRequired(resource)
  }
  const wanted = parseRange(range, lengthBytes)
  if (wanted.outcome === 'unsatisfiable') throw rangeNotSatisfiable(resource, lengthBytes)
  const link = await linkReply(service, call, resource, { index, leftMs: patience.leftMs })
  if (link !== undefined) return link
  const whole = wholeHeaders(resource, index)
  if (wanted.outcome === 'whole') {
    const bytes = await openRange(service, call, index, { start: 0, end: lengthBytes })
    return bytesReply(service, call, resource, { status: 200, headers: whole, bytes })
  }
  const headers = {
    ...whole,
    'Content-Length': String(wanted.range.end - wanted.range.start),
    'Content-Range': contentRange(wanted.range, lengthBytes),
  }
  const bytes = await openRange(service, call, index, wanted.range)
  return bytesReply(service, call, resource, { status: 206, headers, bytes })
}

function wholeHeaders(resource: DumpResource, { lengthBytes, sha256 }: DumpIndex) {
  return {
    ...fileHeaders(resource),
    'Content-Length': String(lengthBytes),
    // The digest is always that of the whole file, on 206 and on HEAD, too (RFC 9530).
    'Repr-Digest': reprDigest(sha256),
  }
}

function bytesReply(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  {
    status,
    headers,
    bytes,
  }: { status: number; headers: Readonly<Record<string, string>>; bytes: OpenedBytes },
): Reply {
  return {
    status,
    mediaType: mediaTypeOf(resource.target),
    headers,
    body: async (response) => {
      try {
        await service.streams.send(response, bytes)
      } catch (error) {
        await forgetIfVanished(service, call, resource, error)
        throw error
      }
    },
  }
}

function preconditionFailed({ target, validators }: DumpResource): ProblemError {
  return new ProblemError(
    'precondition-failed',
    `the dump is now ${fileNameOf(target)}, with ETag ${validators.etag}`,
    { facts: { etag: validators.etag, pinnedUrl: pinnedPath(target) } },
  )
}

function preconditionRequired({ target, validators, isMoving }: DumpResource): ProblemError {
  const pinnedUrl = pinnedPath(target)
  const fileName = fileNameOf(target)
  const resume = `curl -fL -C - -o '${fileName}' "$MORAINE${pinnedUrl}"`
  return new ProblemError(
    'precondition-required',
    `${isMoving ? 'this address moves with the table' : 'this snapshot had other bytes before'}` +
      ', so ranges of it may not fit together; ' +
      `resume ${fileName} with ${resume}`,
    { facts: { pinnedUrl, fileName, etag: validators.etag, resume } },
  )
}

function rangeNotSatisfiable({ target }: DumpResource, lengthBytes: number): ProblemError {
  return new ProblemError(
    'range-not-satisfiable',
    `${fileNameOf(target)} has ${lengthBytes} bytes: the range starts beyond its end`,
    { facts: { lengthBytes } },
  )
}
