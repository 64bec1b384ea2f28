import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { CatalogError } from '../../core/errors.ts'
import { INFLATED_BYTES_MIN, INFLATED_RATIO_MAX } from '../../core/limits.ts'

const GZIP = [0x1f, 0x8b]

/**
 * The body without its gzip, if it is one by its first bytes. Throws `row-invalid` where it should
 * be one and is none, is broken or cut off, and `body-too-large` where it becomes far more than a
 * text would.
 */
export async function* inflated(
  chunks: AsyncIterable<Uint8Array>,
  { isDeclared }: { readonly isDeclared: boolean },
): AsyncGenerator<Uint8Array> {
  const body = chunks[Symbol.asyncIterator]()
  let start: Uint8Array = new Uint8Array()
  while (start.length < GZIP.length) {
    const next = await body.next()
    if (next.done === true) break
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value])
  }
  const whole = restored(start, body)
  if (GZIP.every((byte, i) => start[i] === byte)) yield* gunzipped(whole)
  else if (isDeclared) throw notGzip('the body is no gzip, which its Content-Encoding says')
  else yield* whole
}

async function* restored(
  start: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (start.length > 0) yield start
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      yield next.value
    }
  } finally {
    await rest.return?.()
  }
}

async function* gunzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let received = 0
  const counted = async function* () {
    for await (const chunk of chunks) {
      received += chunk.length
      yield chunk
    }
  }
  const gunzip = createGunzip()
  const piped = pipeline(Readable.from(counted()), gunzip)
  // Whoever reads what comes out gets the failure.
  piped.catch(() => undefined)
  let bytes = 0
  try {
    for await (const chunk of gunzip) {
      bytes += chunk.length
      if (bytes > INFLATED_BYTES_MIN + INFLATED_RATIO_MAX * received) throw tooDense()
      yield chunk
    }
  } catch (error) {
    const code = String(Object(error).code ?? '')
    throw code.startsWith('Z_')
      ? notGzip('the gzip of the body is broken or cut off', error)
      : error
  } finally {
    gunzip.destroy()
  }
}

function notGzip(detail: string, cause?: unknown): CatalogError {
  return new CatalogError('row-invalid', detail, { facts: { line: 1 }, cause })
}

function tooDense(): CatalogError {
  const detail =
    `the body becomes more than ${INFLATED_RATIO_MAX} times as long without its gzip: send it ` +
    'uncompressed, or in parts'
  return new CatalogError('body-too-large', detail, { facts: { ratioMax: INFLATED_RATIO_MAX } })
}
