import { S3Client } from '@aws-sdk/client-s3'
import type { UsableFolder } from '../bucket/folder-rights.ts'
import type { SignedRequest, StoreRequest } from '../object-vending.ts'
import { ANY_REGION, providerOf, type S3Options } from './s3-connection.ts'
import { type ParsedRequest, requireSignable } from './s3-signable.ts'

const UNSIGNED = 'UNSIGNED-PAYLOAD'
const HASH = 'x-amz-content-sha256'
/** Only these are signed: others may be changed on the way. */
const SIGNED_HEADER = /^x-amz-|^content-md5$/

/** Signs requests of engines with the service's own keys: those that read with the reading ones. */
export class S3Signer {
  readonly #endpoint: string | undefined
  readonly #reader: S3Client
  readonly #writer: S3Client

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
    const { method, url, headers: given } = parsed
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

  close(): void {
    this.#reader.destroy()
    this.#writer.destroy()
  }
}

function headersToSign({ headers }: ParsedRequest): Record<string, string> {
  const signed = [...headers].filter(([name]) => SIGNED_HEADER.test(name))
  return { ...Object.fromEntries(signed), [HASH]: headers.get(HASH) ?? UNSIGNED }
}
