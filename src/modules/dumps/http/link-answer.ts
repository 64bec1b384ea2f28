import type { IncomingHttpHeaders } from 'node:http'
import { CatalogError } from '../../../core/errors.ts'
import { contentDisposition, reprDigest } from '../../../http/http-fields.ts'
import type { Reply } from '../../../http/reply.ts'
import type { LinkWish } from '../../../objects/object-links.ts'
import { fileNameOf } from '../dump-key.ts'
import type { DumpIndex } from '../format/dump-index.ts'
import type { LinkedDump } from '../link/dump-links.ts'
import {
  cacheControl,
  type DumpCall,
  type DumpResource,
  type DumpService,
  pinnedPath,
} from './dump-resource.ts'
import { notReady } from './open-bytes.ts'

/** They name states of this service, of which the store knows nothing. */
const CONDITIONS = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
] as const
/** Headers in which callers prove who they are. */
const CREDENTIALS = ['authorization', 'x-ckan-api-key'] as const
const KEPT_SECONDS_MAX = 3_600

/** Throws where a link is wanted in any case and none can be. */
export function requireLinks({ links }: DumpService, { redirect }: DumpResource): void {
  if (redirect !== 'always' || links.areMade) return
  throw new CatalogError(
    'not-implemented',
    'redirect=always: the warehouse of this service is not in a bucket, or its links are turned ' +
      'off; leave redirect out to receive the file itself',
    { facts: { redirect } },
  )
}

/** A redirect to the dump in the store; `undefined` if the service is to send it itself. */
export async function linkReply(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { index, leftMs }: { readonly index: DumpIndex; readonly leftMs: number | undefined },
): Promise<Reply | undefined> {
  if (!isLinkWanted(service, call, resource)) return undefined
  const dump = { target: resource.target, index }
  try {
    await service.links.requireRoom(dump)
    const location = await findOrJoin(service, call, resource, { ...dump, leftMs })
    if (location === undefined) return undefined
    return await replyTo(service, resource, { ...dump, location, method: 'GET' })
  } catch (error) {
    if (resource.redirect === 'always') throw error
    call.request.log.warn({ err: error }, 'a dump has no link; it is sent by the service')
    return undefined
  }
}

/**
 * The same for HEAD, for which S3 needs a link of its own: for those who ask for links in any case,
 * if the dump is one object there. Nothing is begun for it.
 */
export async function headLinkReply(
  service: DumpService,
  resource: DumpResource,
  index: DumpIndex,
): Promise<Reply | undefined> {
  if (resource.redirect !== 'always') return undefined
  const dump = { target: resource.target, index }
  await service.links.requireRoom(dump)
  const location = await service.links.find(dump)
  if (location === undefined) return undefined
  return replyTo(service, resource, { ...dump, location, method: 'HEAD' })
}

/** Makes a dump one object once it is made, for those who ask for it later. */
export function joinSoon(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  made: Promise<DumpIndex>,
): void {
  if (!isLinkWanted(service, call, resource)) return
  const { links } = service
  const { target } = resource
  made
    .then(async (index) => {
      const dump = { target, index }
      await links.requireRoom(dump)
      if ((await links.find(dump)) === undefined) await links.join(dump)
    })
    // Whoever reads the dump sees its failure, and `DumpLinks` tells of its own.
    .catch(() => undefined)
}

/** Whether the client is sent to the store as soon as the dump is there. */
export function isLinkWanted(
  { links }: DumpService,
  call: DumpCall,
  { redirect }: DumpResource,
): boolean {
  if (redirect === 'never' || !links.areMade) return false
  return redirect === 'always' || canFollow(call.request.headers)
}

/**
 * Whether the store can serve what the client wants, as far as its request tells. Many clients hand
 * credentials on to it, `Authorization` of which it refuses, and whose business they are not; to
 * scripts of pages it may not answer.
 */
function canFollow(headers: IncomingHttpHeaders): boolean {
  const { origin, 'sec-fetch-mode': mode = 'navigate' } = headers
  if (CREDENTIALS.some((name) => headers[name] !== undefined) || origin !== undefined) return false
  if (mode !== 'navigate' && mode !== 'no-cors') return false
  return CONDITIONS.every((name) => headers[name] === undefined)
}

/** `undefined` if it takes longer than the client should be kept waiting for. */
async function findOrJoin(
  service: DumpService,
  call: DumpCall,
  { redirect, target }: DumpResource,
  { leftMs, ...dump }: LinkedDump & { readonly leftMs: number | undefined },
): Promise<string | undefined> {
  const { links, streams } = service
  const found = await links.find(dump)
  if (found !== undefined || !maySpend(call)) return found
  const { indexWaitMs, firstWaitMs } = streams.limits
  const isNeeded = redirect === 'always'
  const location = await within(links.join(dump), leftMs ?? (isNeeded ? indexWaitMs : firstWaitMs))
  if (location === undefined && isNeeded) throw notReady(target)
  return location
}

/** A page of another site makes nothing. */
function maySpend(call: DumpCall): boolean {
  try {
    call.requireOwnSite()
    return true
  } catch {
    return false
  }
}

async function within<T>(work: Promise<T> | undefined, waitMs: number): Promise<T | undefined> {
  if (work === undefined) return undefined
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function replyTo(
  { links }: DumpService,
  resource: DumpResource,
  {
    location,
    method,
    ...dump
  }: LinkedDump & { readonly location: string; readonly method: LinkWish['method'] },
): Promise<Reply> {
  const { target, isMoving, asked } = resource
  const as = contentDisposition(fileNameOf(target))
  const { url, expiresInSeconds } = await links.linkTo(location, dump, { as, method })
  const keptSeconds = Math.min(Math.floor(expiresInSeconds / 2), KEPT_SECONDS_MAX)
  const isSame = !isMoving && asked !== undefined
  return {
    status: 302,
    headers: {
      Location: url,
      // No ETag: a 304 would let a cache go on with a link that has expired.
      'Cache-Control': isSame ? `private, max-age=${keptSeconds}` : cacheControl(resource),
      Vary: 'Accept, Authorization, Origin, Sec-Fetch-Mode, X-CKAN-API-Key',
      Link: `<${pinnedPath(target)}>; rel="canonical"`,
      'Repr-Digest': reprDigest(dump.index.sha256),
    },
  }
}
