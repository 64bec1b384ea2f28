import { createHash } from 'node:crypto'
import { S3Client } from '@aws-sdk/client-s3'
import { CatalogError } from '../../core/errors.ts'
import type { UsableFolder } from '../bucket/folder-rights.ts'
import type { SignedRequest, StoreRequest } from '../object-vending.ts'
import { providerOf, type S3Options } from './s3-connection.ts'
import { deletionOf } from './s3-deletion.ts'
import { type ParsedRequest, requireSignable } from './s3-signable.ts'

const ANY_REGION = 'us-east-1'
const PROBE_MS_MAX = 5_000
const UNSIGNED = 'UNSIGNED-PAYLOAD'
const HASH = 'x-amz-content-sha256'
/** Only these are signed: others may be changed on the way. */
const SIGNED_HEADER = /^x-amz-|^content-md5$/

/** Signs requests of engines with the service's own keys: those that read with the reading ones. */
export class S3Signer {
  readonly #endpoint: string | undefined
  readonly #reader: S3Client
  readonly #writer: S3Client
  #isHolding: Promise<boolean> | undefined

  constructor({
    endpoint,
    region,
    readCredentials,
    writeCredentials,
  }: Omit<S3Options, 'forcePathStyle'>) {
    const open = (credentials: S3Options['readCredentials']) =>
      new S3Client({
        region: region ?? ANY_REGION,
        ...(credentials !== undefined && { credentials: providerOf(credentials) }),
      })
    this.#endpoint = endpoint
    this.#reader = open(readCredentials)
    this.#writer = open(writeCredentials)
  }

  /** Throws `signature-refused`. */
  async sign(folders: readonly UsableFolder[], request: StoreRequest): Promise<SignedRequest> {
    const parsed = requireSignable(request, { folders, endpoint: this.#endpoint })
    const { method, url, headers: given, body } = parsed
    if (body !== undefined && !(await this.#holdsBodies(parsed, request.region))) {
      throw unbound()
    }
    const signed = await this.#headersOf(parsed, request.region)
    const added = Object.entries(signed).filter(([name]) => name !== 'host' && !given.has(name))
    const isReading = method === 'GET' || method === 'HEAD'
    return {
      uri: url.text,
      headers: Object.fromEntries(added.map(([name, value]) => [name, [value]])),
      isReusable: isReading && [...given.keys()].every((name) => !SIGNED_HEADER.test(name)),
    }
  }

  async #headersOf(parsed: ParsedRequest, signingRegion: string): Promise<Record<string, string>> {
    const { method, url } = parsed
    const client = method === 'GET' || method === 'HEAD' ? this.#reader : this.#writer
    const signer = await client.config.signer()
    const headers = { ...headersToSign(parsed), host: url.host }
    const { protocol, hostname, port, path, query } = url
    const request = { ...{ method, protocol, hostname, path, query, headers } }
    const signed = await signer.sign(
      { ...request, ...(port !== undefined && { port }) },
      { signingRegion, signingService: 's3' },
    )
    return signed.headers
  }

  /**
   * Whether the store takes a signature for no other body than its own, which seaweedfs does not
   * check: then who deletes one object could delete all. It is asked once, to delete nothing.
   */
  #holdsBodies(like: ParsedRequest, region: string): Promise<boolean> {
    this.#isHolding ??= this.#tryOtherBody(like, region).catch((error: unknown) => {
      this.#isHolding = undefined
      throw error
    })
    return this.#isHolding
  }

  async #tryOtherBody(like: ParsedRequest, region: string): Promise<boolean> {
    const nothing = (n: number) => deletionOf(`.moraine-no-such-object-${n}`)
    const body = nothing(1)
    const md5 = createHash('md5').update(body).digest('base64')
    const probe = { ...like, headers: new Map([['content-md5', md5]]), body }
    const headers = await this.#headersOf(probe, region)
    const answer = await fetch(like.url.text, {
      ...{ method: 'POST', headers, body: nothing(2) },
      signal: AbortSignal.timeout(PROBE_MS_MAX),
    }).catch((cause: unknown) => {
      throw storeAway(cause)
    })
    await answer.body?.cancel()
    if (answer.status >= 500) throw storeAway(answer.status)
    return !answer.ok
  }

  close(): void {
    this.#reader.destroy()
    this.#writer.destroy()
  }
}

function headersToSign({ headers, body }: ParsedRequest): Record<string, string> {
  const signed = [...headers].filter(([name]) => SIGNED_HEADER.test(name))
  const hash = body === undefined ? (headers.get(HASH) ?? UNSIGNED) : sha256(body)
  return { ...Object.fromEntries(signed), [HASH]: hash }
}

function storeAway(cause: unknown): Error {
  return Object.assign(new Error('the store does not respond', { cause }), { code: 'EAGAIN' })
}

function unbound(): CatalogError {
  return new CatalogError(
    'signature-refused',
    'No deletion of several objects at once is signed for this store: it does not check that the ' +
      'body is the one that was signed. Delete them one by one.',
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
