import { CatalogError } from '../../core/errors.ts'
import type { TextFormat } from '../../engine/engine.ts'
import { foreignKindOf } from '../../http/body/foreign-bytes.ts'
import { inflated } from '../../http/body/inflated.ts'
import {
  charsetUnsupported,
  encodingOf,
  mediaParameterOf,
  otherCharsetOf,
  unsupported,
} from '../../http/body/media-type.ts'
import type { Call } from '../../http/route.ts'

const SNIFFED_BYTES = 64
const OPENING_BRACKET = 0x5b
const SPACES: ReadonlySet<number | undefined> = new Set([0x09, 0x0a, 0x0d, 0x20])

/**
 * The body without gzip and in UTF-8, whichever charset its media type names. Throws
 * `media-type-unsupported` for an unknown one, and `row-invalid` as soon as the first bytes tell
 * that it is no such text.
 */
export function textBody(
  request: Call<unknown, unknown>['request'],
  format: TextFormat,
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  if (mediaParameterOf(request, 'header') === 'absent') {
    const detail = 'CSV without a header line: send one with the names of the columns'
    throw unsupported(detail, 'header=absent', ['header=present'])
  }
  const charset = otherCharsetOf(request)
  const plain = inflated(chunks, { isDeclared: encodingOf(request) === 'gzip' })
  const text = charset === undefined ? plain : inUtf8(plain, decoderOf(charset))
  return checkedAtStart(text, format)
}

/** Some of those that are known: all of https://encoding.spec.whatwg.org. */
const CHARSETS = ['utf-8', 'windows-1252', 'iso-8859-15', 'shift_jis', 'utf-16le'].map(
  (name) => `charset=${name}`,
)

type Decoder = InstanceType<typeof TextDecoder>

function decoderOf(charset: string): Decoder {
  try {
    return new TextDecoder(charset, { fatal: true })
  } catch {
    const way = 'send the text in UTF-8, or name its encoding as browsers do, like windows-1252'
    throw charsetUnsupported(charset, way, CHARSETS)
  }
}

async function* inUtf8(
  chunks: AsyncIterable<Uint8Array>,
  decoder: Decoder,
): AsyncGenerator<Uint8Array> {
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      const detail = `the body is not the ${decoder.encoding} that its Content-Type says`
      throw new CatalogError('row-invalid', detail, { facts: { line: 1 }, cause })
    }
  }
  for await (const chunk of chunks) yield Buffer.from(decode(chunk))
  yield Buffer.from(decode())
}

async function* checkedAtStart(
  chunks: AsyncIterable<Uint8Array>,
  format: TextFormat,
): AsyncGenerator<Uint8Array> {
  let start: Uint8Array | undefined = new Uint8Array()
  for await (const chunk of chunks) {
    if (start === undefined) {
      yield chunk
      continue
    }
    start = Buffer.concat([start, chunk])
    if (start.length < SNIFFED_BYTES) continue
    requireText(start, format)
    yield start
    start = undefined
  }
  if (start === undefined) return
  requireText(start, format)
  yield start
}

function requireText(start: Uint8Array, format: TextFormat): void {
  const kind = foreignKindOf(start) ?? (format === 'ndjson' ? arrayAt(start) : undefined)
  if (kind === undefined) return
  throw new CatalogError('row-invalid', `line 1: the body ${kind}`, { facts: { line: 1 } })
}

function arrayAt(start: Uint8Array): string | undefined {
  const first = start.find((byte) => !SPACES.has(byte))
  return first === OPENING_BRACKET
    ? 'is a JSON array: send each object on a line of its own, without brackets and commas'
    : undefined
}
