import { isIP } from 'node:net'
import { z } from 'zod'
import { INLINE_BOUNDS, type InlineMax } from './core/query/inline-max.ts'
import { LINK_SECONDS_MAX } from './objects/object-links.ts'

/** Reads one variable, or its default; `allowed` is what the message of a `ConfigError` says. */
export type Read = <T>(name: string, fallback: string, allowed: string, schema: z.ZodType<T>) => T

/** Texts between commas. */
export const List = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
)

const BYTES_PER_UNIT = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 } as const

/** Bytes, from `256MB` or so. */
export const ByteSize = z
  .string()
  .regex(/^\d{1,6}(KB|MB|GB)$/)
  .transform((text) => Number(text.slice(0, -2)) * BYTES_PER_UNIT[text.slice(-2) as 'KB'])

const MS_PER_UNIT = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds, from `30m` or so. */
export const Duration = z
  .string()
  .regex(/^\d{1,5}[smhd]$/)
  .transform((text) => Number(text.slice(0, -1)) * MS_PER_UNIT[text.slice(-1) as 's'])

/** In whole seconds, at most the seven days that stores allow. */
export const Hours = z
  .string()
  .regex(/^\d{1,3}(?:\.\d{1,6})?$/)
  .transform((text) => Math.round(Number(text) * 3_600))
  .pipe(z.int().max(LINK_SECONDS_MAX))

// Whoever may ask for a name may do so on any port.
export const HostName = z
  .string()
  .regex(/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?(?::\d+)?$/i)
  .transform((name) => name.replace(/\.?(?::\d+)?$/, '').toLowerCase())
/** An address, or a range of them like `10.0.0.0/8`. */
export const NetworkAddress = z.string().refine((text) => {
  const [address = '', bits] = text.split('/')
  const max = { 0: -1, 4: 32, 6: 128 }[isIP(address) as 0 | 4 | 6]
  return max > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= max))
})

export function integer(min: number, max: number) {
  return z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max))
}

/** What comes in responses, unless the table says otherwise. */
export function readInlineMax(read: Read): InlineMax {
  const { rows, bytes, files } = INLINE_BOUNDS
  const size = ByteSize.pipe(z.int().min(1).max(bytes))
  return {
    rows: read(
      'MORAINE_INLINE_ROWS',
      '10000',
      `a number of rows from 1 to ${rows}`,
      integer(1, rows),
    ),
    bytes: read('MORAINE_INLINE_BYTES', '8MB', 'a size from 1KB to 64MB', size),
    files: read(
      'MORAINE_INLINE_FILES',
      '16',
      `a number of files from 1 to ${files}`,
      integer(1, files),
    ),
  }
}

export type QueryLimitsConfig = ReturnType<typeof readQueryLimits>

export function readQueryLimits(read: Read) {
  const allowed = 'a number of queries from 1 to 1000'
  return {
    running: read('MORAINE_QUERIES_RUNNING', '4', allowed, integer(1, 1_000)),
    queued: read(
      'MORAINE_QUERIES_QUEUED',
      '32',
      'a number of queries from 0 to 10000',
      integer(0, 10_000),
    ),
    bytesPerDay: read(
      'MORAINE_QUERY_BYTES_PER_DAY',
      '0MB',
      'a size like 500MB or 100GB, or 0MB for any',
      ByteSize,
    ),
  }
}
