import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { CRC32C, type File, type Storage } from '@google-cloud/storage'
import { type Attempt, MARK, type MarkedAttempt } from '../bucket/bucket-client.ts'
import type { BucketPlace } from '../bucket/bucket-location.ts'
import { connectGcs, type GcsOptions } from './gcs-connection.ts'
import type { GcsHttp } from './gcs-http.ts'

type Query = Readonly<Record<string, string | number | undefined>>

interface Asked extends Attempt {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly query?: Query
  readonly json?: unknown
}

export interface ListedFiles {
  readonly items?: readonly (File['metadata'] & { readonly name: string })[]
  readonly nextPageToken?: string
}

/** Requests of one account to the JSON API, each made once, which end with their signal. */
export class GcsAccount {
  readonly #storage: Storage
  readonly #http: GcsHttp
  readonly #sendsTokens: boolean

  constructor(
    { readKeyFile: _, writeKeyFile: __, ...place }: GcsOptions,
    keyFile: string | undefined,
    http: GcsHttp,
  ) {
    this.#sendsTokens = place.endpoint === undefined || place.sendsTokens === true
    this.#storage = connectGcs({ ...place, keyFile, maxRetries: 0 })
    this.#http = http
  }

  async head(place: BucketPlace, { signal }: Attempt): Promise<File['metadata']> {
    return (await this.#ask(pathOf(place), { signal })) as File['metadata']
  }

  async open(
    place: BucketPlace,
    { query, headers, signal }: Attempt & { query: Query; headers: Record<string, string> },
  ): Promise<IncomingMessage> {
    const url = this.#urlOf(`/storage/v1${pathOf(place)}`, { ...query, alt: 'media' })
    const all = { ...(await this.#authorization(url)), ...headers }
    return this.#http.open(url, { headers: all, signal })
  }

  async list(bucket: string, query: Query, { signal }: Attempt): Promise<ListedFiles> {
    return (await this.#ask(`/b/${bucket}/o`, { query, signal })) as ListedFiles
  }

  /** Creates it, in one request; the store holds the bytes against their CRC32C. */
  async create(
    { bucket, key }: BucketPlace,
    bytes: Uint8Array,
    { mark, signal }: MarkedAttempt,
  ): Promise<void> {
    const query = { uploadType: 'multipart', name: key, ifGenerationMatch: 0 }
    const url = this.#urlOf(`/upload/storage/v1/b/${bucket}/o`, query)
    const crc32c = new CRC32C()
    crc32c.update(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    const about = { name: key, metadata: { [MARK]: mark }, crc32c: crc32c.toString() }
    const boundary = randomUUID()
    const type = `multipart/related; boundary=${boundary}`
    const headers = { ...(await this.#authorization(url)), 'content-type': type }
    const body = Buffer.concat([
      Buffer.from(`--${boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n`),
      Buffer.from(`${JSON.stringify(about)}\r\n--${boundary}\r\n`),
      Buffer.from('content-type: application/octet-stream\r\n\r\n'),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ])
    await this.#http.ask(url, { method: 'POST', headers, body, signal })
  }

  /** Creates a copy of that generation, in as many requests as the store needs. */
  async copy(
    from: BucketPlace,
    to: BucketPlace,
    { mark, generation, signal }: MarkedAttempt & { readonly generation: string },
  ): Promise<void> {
    let rewriteToken: string | undefined
    do {
      const query = { ifGenerationMatch: 0, sourceGeneration: generation, rewriteToken }
      const path = `${pathOf(from)}/rewriteTo${pathOf(to)}`
      const json = { metadata: { [MARK]: mark } }
      const told = await this.#ask(path, { method: 'POST', query, json, signal })
      const { done, rewriteToken: next } = Object(told) as {
        readonly done?: boolean
        readonly rewriteToken?: string
      }
      rewriteToken = done === false ? next : undefined
    } while (rewriteToken !== undefined)
  }

  /** Renames that generation within its bucket, to a name that has no object. */
  async move(
    from: BucketPlace,
    toKey: string,
    { generation, signal }: Attempt & { readonly generation: string },
  ): Promise<void> {
    const query = { ifGenerationMatch: 0, ifSourceGenerationMatch: generation }
    const path = `${pathOf(from)}/moveTo/o/${encodeURIComponent(toKey)}`
    await this.#ask(path, { method: 'POST', query, signal })
  }

  /** Only that generation, if given. */
  async delete(
    place: BucketPlace,
    { generation, signal }: Attempt & { readonly generation: string | undefined },
  ): Promise<void> {
    const query = { ifGenerationMatch: generation }
    await this.#ask(pathOf(place), { method: 'DELETE', query, signal })
  }

  async #ask(path: string, { method = 'GET', query = {}, json, signal }: Asked): Promise<unknown> {
    const url = this.#urlOf(`/storage/v1${path}`, query)
    const headers = {
      ...(await this.#authorization(url)),
      ...(json !== undefined && { 'content-type': 'application/json' }),
    }
    const body = json === undefined ? {} : { body: Buffer.from(JSON.stringify(json)) }
    return this.#http.ask(url, { method, headers, signal, ...body })
  }

  #urlOf(path: string, query: Query): URL {
    const url = new URL(this.#storage.apiEndpoint + path)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    return url
  }

  /** An emulator asks for none. */
  async #authorization(url: URL): Promise<Record<string, string>> {
    if (!this.#sendsTokens) return {}
    return this.#storage.authClient.getRequestHeaders(url.href)
  }
}

function pathOf({ bucket, key }: BucketPlace): string {
  return `/b/${bucket}/o/${encodeURIComponent(key)}`
}
