import type { IncomingMessage } from 'node:http'
import { ProblemError } from '../../problem/problems.ts'
import { JSON_MEDIA_TYPE } from '../reply.ts'
import type { Route } from '../route.ts'

const SHOWN_LENGTH_MAX = 100
const UTF8_NAMES: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii'])

/** The media type without parameters, in lower case. */
export function mediaTypeOf({ headers }: IncomingMessage): string | undefined {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase()
}

/** The compression of the body, in lower case; `identity` if it has none. */
export function encodingOf({ headers }: IncomingMessage): string {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  return encoding === 'x-gzip' ? 'gzip' : encoding
}

/** A parameter of the media type, in lower case and without quotes. */
export function mediaParameterOf({ headers }: IncomingMessage, name: string): string | undefined {
  const parameters = headers['content-type']?.split(';').slice(1) ?? []
  for (const parameter of parameters) {
    const [key, value = ''] = parameter.split('=', 2)
    if (key?.trim().toLowerCase() !== name) continue
    return value
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .toLowerCase()
  }
  return undefined
}

/** The charset of a text; `undefined` if it is UTF-8, which is the default and includes ASCII. */
export function otherCharsetOf(request: IncomingMessage): string | undefined {
  const charset = mediaParameterOf(request, 'charset')
  return charset === undefined || UTF8_NAMES.has(charset) ? undefined : charset
}

/**
 * Throws `media-type-unsupported` unless the body is JSON in UTF-8 or has one of these other types,
 * and is not compressed, but for uploads whose handlers undo that.
 */
export function requireMediaType(
  request: IncomingMessage,
  { uploads: others = [], gzipUploads = [] }: Pick<Route, 'uploads' | 'gzipUploads'> = {},
): void {
  const mediaType = mediaTypeOf(request) ?? 'none'
  const encoding = encodingOf(request)
  const supported = [JSON_MEDIA_TYPE, ...others]
  const isJson = mediaType === JSON_MEDIA_TYPE || mediaType.endsWith('+json')
  const compressed =
    gzipUploads.length === 0
      ? ', without Content-Encoding'
      : '; a text may be in gzip, with the Content-Type of the text'
  const remedy = `send ${supported.join(' or ')}${compressed}`
  if (!isJson && !others.includes(mediaType)) {
    const isAbsent = mediaType === 'none'
    const what = isAbsent ? 'the request has no Content-Type' : `unsupported body ${cut(mediaType)}`
    throw unsupported(`${what}: ${remedy}`, mediaType, supported)
  }
  const isUndone = encoding === 'gzip' && gzipUploads.includes(mediaType)
  if (encoding !== 'identity' && !isUndone) {
    throw unsupported(`unsupported body ${cut(encoding)}: ${remedy}`, encoding, supported)
  }
  const charset = isJson ? otherCharsetOf(request) : undefined
  if (charset !== undefined) throw charsetUnsupported(charset, 'JSON is sent in UTF-8', supported)
}

export function charsetUnsupported(
  charset: string,
  remedy: string,
  supported: readonly string[],
): ProblemError {
  const given = `charset=${charset}`
  return unsupported(`unsupported ${cut(given)}: ${remedy}`, given, supported)
}

export function unsupported(
  detail: string,
  given: string,
  supported: readonly string[],
): ProblemError {
  return new ProblemError('media-type-unsupported', detail, {
    facts: { given: cut(given), supported },
  })
}

function cut(text: string): string {
  return text.slice(0, SHOWN_LENGTH_MAX)
}
