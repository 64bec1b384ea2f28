/** What a client asks a bucket for. */
export interface Asked {
  readonly action: 'get' | 'list' | 'create' | 'delete'
  readonly bucket: string
  /** The key of an object, or the prefix of a list. */
  readonly key: string
}

/** A request as it was sent; only some have a body. */
export interface GcsRequest {
  readonly method: string
  /** Path and query, as they stand in the request line. */
  readonly target: string
  readonly body: Buffer | undefined
}

export interface SentRequest extends GcsRequest {
  readonly authorization: string | undefined
}

const OBJECT = /^(?:\/download)?\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/
const OBJECTS = /^\/storage\/v1\/b\/([^/]+)\/o\/?$/
const UPLOAD = /^\/upload\/storage\/v1\/b\/([^/]+)\/o\/?$/
const BATCHES = '/batch/storage/v1'
/** Request line and headers of a part; the line may name the whole address. */
const PART = /^([A-Z]+) (?:https?:\/\/[^/\s]+)?(\/\S*)(?: HTTP\/1\.1)?\r?\n((?:[\w-]+: .*\r?\n)*)/gm

/** The name of an object that an upload begins: in the address, or in metadata before the bytes. */
export function uploadedName({ target, body }: GcsRequest): string {
  const named = new URL(target, 'http://store').searchParams.get('name')
  if (named !== null) return named
  const text = body?.toString('latin1') ?? ''
  const [, first] = /^--[\s\S]*?\r\n\r\n([\s\S]*?)\r\n--/.exec(text) ?? []
  const { name } = JSON.parse(Buffer.from(first ?? text, 'latin1').toString())
  return String(name)
}

/** What an engine asks for; `undefined` if it is none of an engine's requests. */
export function askedOf(request: GcsRequest): readonly Asked[] | undefined {
  const { method, target } = request
  const { pathname, searchParams } = new URL(target, 'http://store')
  const [, uploadedTo] = UPLOAD.exec(pathname) ?? []
  if (uploadedTo !== undefined) {
    // Whoever has the id of an upload was allowed to begin it.
    if (searchParams.has('upload_id')) return []
    return [{ action: 'create', bucket: uploadedTo, key: uploadedName(request) }]
  }
  const [, listed] = OBJECTS.exec(pathname) ?? []
  if (listed !== undefined && method === 'GET') {
    return [{ action: 'list', bucket: listed, key: searchParams.get('prefix') ?? '' }]
  }
  const [, bucket, key] = OBJECT.exec(pathname) ?? []
  if (bucket === undefined || key === undefined) return undefined
  const action = ({ GET: 'get', HEAD: 'get', DELETE: 'delete' } as const)[method]
  return action === undefined ? undefined : [{ action, bucket, key: decodeURIComponent(key) }]
}

/** What a batch has in it, each with a token of its own or that of the batch; else the request. */
export function requestsIn(request: SentRequest): readonly SentRequest[] {
  const { method, target, body, authorization } = request
  if (method !== 'POST' || target !== BATCHES) return [request]
  return [...(body?.toString() ?? '').matchAll(PART)].map((found) => {
    const [, ofPart = '', address = '', headers = ''] = found
    const own = /^authorization: (.*)$/im.exec(headers)?.[1]?.trim()
    const sent = { method: ofPart, target: address, body: undefined }
    return { ...sent, authorization: own ?? authorization }
  })
}
