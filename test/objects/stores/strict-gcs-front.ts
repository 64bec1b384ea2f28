import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { uploadedName } from './gcs-request.ts'
import { findSignatureFault, isSigned, type PublicKeys } from './gcs-signature.ts'
import type { TokenJudge } from './gcs-tokens.ts'

/** Requests that have a token and no signature. */
const API = /^\/(?:storage|upload|download|batch)\//
const BODY_BYTES_MAX = 64 * 1024 * 1024

export interface StrictGcsFront {
  readonly endpoint: string
  close(): Promise<void>
}

/**
 * What Google Cloud Storage checks and its stand-in does not: signatures of links and their life,
 * and the generations that writes expect (`ifGenerationMatch` of put, copy, compose, move and
 * delete, and of each source of a copy, a compose or a move). Of the writes of one object only one
 * is under way at a time, so no two of them see the same generation. With a `judge`, each other
 * request needs a token that may do it. Faults of the network are those of `faulty-front.ts`.
 */
export async function openStrictGcsFront(
  store: string,
  { keys, judge, nowMs = Date.now }: Partial<Rules> & Pick<Rules, 'keys'>,
): Promise<StrictGcsFront> {
  const turns = new Map<string, Promise<unknown>>()
  const uploads = new Map<string, Wish>()
  const server = createServer((incoming, response) => {
    const front = `http://${incoming.headers.host}`
    const exchange = { store, front, incoming, response, uploads }
    answer(exchange, { keys, judge, nowMs, turns }).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Exchange {
  readonly store: string
  /** As the client calls it. */
  readonly front: string
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  /** By the id of an upload in parts: what was expected when it began. */
  readonly uploads: Map<string, Wish>
}

interface Rules {
  readonly keys: PublicKeys
  /** Tokens are not asked for without. */
  readonly judge: TokenJudge | undefined
  readonly nowMs: () => number
  readonly turns: Map<string, Promise<unknown>>
}

/** The generation that an object must have, 0 for none. */
interface Wish {
  /** The status of a refusal: a version that is asked for by its generation is not there. */
  readonly refusal?: 404
  /** `<bucket>/o/<encoded key>` */
  readonly object: string
  readonly generation: string | undefined
}

async function answer(exchange: Exchange, rules: Rules): Promise<void> {
  const { keys, judge, nowMs, turns } = rules
  const { incoming, response } = exchange
  const { method = '', url: target = '/', headers } = incoming
  if (!API.test(target)) {
    const signed = { method, target, host: headers.host ?? '', nowMs: nowMs() }
    const fault = isSigned(target) ? findSignatureFault(signed, keys) : 'it is not signed'
    if (fault !== undefined) return refuse(response, 403, fault)
    return pass(exchange, await bodyOf(incoming))
  }
  const body = method === 'GET' || method === 'HEAD' ? undefined : await bodyOf(incoming)
  const judged = { method, target, body, authorization: headers.authorization, nowMs: nowMs() }
  const fault = judge?.(judged)
  if (fault !== undefined) return refuse(response, fault.status, fault.message)
  const wish = wishOf(exchange, body)
  if (wish === undefined) return pass(exchange, body)
  // What is renamed is written as well.
  const moved = movedOf(exchange)
  const objects = moved === undefined ? [wish.object] : [moved, wish.object]
  const work = Promise.all(objects.map((object) => turns.get(object))).then(() =>
    moved === undefined ? write(exchange, wish, body) : move(exchange, wish, moved),
  )
  const over = work.catch(() => undefined)
  for (const object of objects) turns.set(object, over)
  await work
}

/** The object that a request renames. */
function movedOf({ incoming }: Exchange): string | undefined {
  const { pathname } = new URL(incoming.url ?? '/', 'http://store')
  const [, bucket, key] = /\/b\/([^/]+)\/o\/([^/]+)\/moveTo\/o\/[^/]+$/.exec(pathname) ?? []
  return key === undefined ? undefined : `${bucket}/o/${key}`
}

/** The stand-in knows no renaming: for whoever asks by the front, copy and delete are one. */
async function move(exchange: Exchange, wish: Wish, moved: string): Promise<void> {
  const { store, incoming, response } = exchange
  const { searchParams } = new URL(incoming.url ?? '/', 'http://store')
  const source = await generationOf(store, moved)
  if (source === '0') return refuse(response, 404, `there is no ${moved}`)
  const wished = searchParams.get('ifSourceGenerationMatch') ?? source
  const isThere = wish.generation ?? (await generationOf(store, wish.object))
  if (wished !== source || isThere !== (await generationOf(store, wish.object))) {
    return refuse(response, 412, `${moved} or ${wish.object} has another generation`)
  }
  const from = `${store}/storage/v1/b/${moved}`
  const copied = await fetch(`${from}/rewriteTo/b/${wish.object}`, { method: 'POST' })
  const { resource } = (await copied.json()) as { readonly resource: unknown }
  await fetch(from, { method: 'DELETE' })
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(resource))
}

/** What a request writes; `undefined` if it writes nothing yet. */
function wishOf({ incoming, uploads }: Exchange, body: Buffer | undefined): Wish | undefined {
  const { method = '', url: target = '' } = incoming
  const { pathname, searchParams } = new URL(target, 'http://store')
  const generation = searchParams.get('ifGenerationMatch') ?? undefined
  const id = searchParams.get('upload_id')
  if (id !== null) return method === 'PUT' ? uploads.get(id) : undefined
  const [, bucket, rest = ''] = /\/b\/([^/]+)\/o\/?(.*)$/.exec(pathname) ?? []
  if (bucket === undefined) return undefined
  const objectIn = (inBucket: string, key: string) => `${inBucket}/o/${key}`
  if (method === 'POST' && pathname.startsWith('/upload/')) {
    const name = uploadedName({ method, target, body })
    return { object: objectIn(bucket, encodeURIComponent(name)), generation }
  }
  if (method === 'DELETE') return { object: objectIn(bucket, rest), generation }
  const composed = /^([^/]+)\/compose$/.exec(rest)?.[1]
  if (composed !== undefined) return { object: objectIn(bucket, composed), generation }
  const renamed = /^[^/]+\/moveTo\/o\/([^/]+)$/.exec(rest)?.[1]
  if (renamed !== undefined) return { object: objectIn(bucket, renamed), generation }
  const [, to, key] = /^[^/]+\/(?:rewriteTo|copyTo)\/b\/([^/]+)\/o\/([^/]+)$/.exec(rest) ?? []
  if (to === undefined || key === undefined) return undefined
  return { object: objectIn(to, key), generation }
}

async function write(exchange: Exchange, wish: Wish, body: Buffer | undefined): Promise<void> {
  const { incoming, response } = exchange
  const { searchParams } = new URL(incoming.url ?? '/', 'http://store')
  const isBegun = searchParams.get('uploadType') === 'resumable'
  const wished = [wish, ...sourcesOf(exchange, wish, body)]
  for (const { object, generation, refusal = 412 } of wished) {
    if (generation === undefined) continue
    const now = await generationOf(exchange.store, object)
    if (now === generation) continue
    return refuse(response, refusal, `${object} has the generation ${now}, not ${generation}`)
  }
  await pass(exchange, body, isBegun ? wish : undefined)
}

/** What a compose or a copy expects of what it reads. */
function sourcesOf({ incoming }: Exchange, { object }: Wish, body: Buffer | undefined): Wish[] {
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://store')
  const source = searchParams.get('ifSourceGenerationMatch')
  const version = searchParams.get('sourceGeneration')
  const from = /\/b\/([^/]+)\/o\/([^/]+)\/(?:rewriteTo|copyTo)\//.exec(pathname)
  if (from !== null) {
    const read = `${from[1]}/o/${from[2]}`
    return [
      { object: read, generation: version ?? undefined, refusal: 404 },
      { object: read, generation: source ?? undefined },
    ]
  }
  if (!pathname.endsWith('/compose') || body === undefined) return []
  const { sourceObjects = [] } = JSON.parse(body.toString()) as {
    readonly sourceObjects?: readonly {
      readonly name: string
      readonly generation?: string | number
      readonly objectPreconditions?: { readonly ifGenerationMatch?: string | number }
    }[]
  }
  const [bucket] = object.split('/')
  return sourceObjects.flatMap(({ name, generation, objectPreconditions }) => {
    const source = `${bucket}/o/${encodeURIComponent(name)}`
    const expected = objectPreconditions?.ifGenerationMatch
    return [
      { object: source, generation: generation?.toString(), refusal: 404 as const },
      { object: source, generation: expected?.toString() },
    ]
  })
}

async function generationOf(store: string, object: string): Promise<string> {
  const response = await fetch(`${store}/storage/v1/b/${object}`)
  if (response.status === 404) return '0'
  const { generation } = (await response.json()) as { readonly generation: string | number }
  return String(generation)
}

/** As the store would have been asked without a front. */
async function pass(
  { store, front, incoming, response, uploads }: Exchange,
  body: Buffer | undefined,
  begun?: Wish,
): Promise<void> {
  const { method, url, headers } = incoming
  const { host } = new URL(store)
  const passed = request(new URL(url ?? '/', store), { method, headers: { ...headers, host } })
  passed.end(body)
  const [answered] = (await once(passed, 'response')) as [IncomingMessage]
  const { location } = answered.headers
  const id = new URL(location ?? '/', store).searchParams.get('upload_id')
  if (begun !== undefined && id !== null) uploads.set(id, begun)
  const told = location === undefined ? {} : { location: location.replace(store, front) }
  response.writeHead(answered.statusCode ?? 500, { ...answered.headers, ...told })
  // A client that has gone does not hold the object: the store has answered.
  await pipeline(answered, response).catch(() => undefined)
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error('more than a test sends')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ error: { code: status, message } })
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}
