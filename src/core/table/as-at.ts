import { CatalogError } from '../errors.ts'
import { parseTimestamp } from '../value/date-time.ts'
import { floorDivide } from '../value/decimal.ts'

const EPOCH_MS = /^\d{1,15}$/
/** Four digits: as milliseconds, they would be a moment of the first ten seconds of 1970. */
const YEAR = /^\d{4}$/
const MONTH = /^\d{4}-\d\d$/
/** Length of the longest time with nanoseconds and offset, and some more digits. */
const TEXT_LENGTH_MAX = 64
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: what RFC 3339 can say. */
const AS_AT_MS_MIN = -62_135_596_800_000
const AS_AT_MS_MAX = 253_402_300_799_999
const FORMS = 'epoch milliseconds, an RFC 3339 time, a date, a month or a year'

/**
 * Parses `1710719999000`, `2024-03-17T23:59:59.25+01:00` (UTC if without offset), or `2024-03-17`,
 * `2024-03` or `2024` (the first moment in UTC) to epoch milliseconds. Finer digits are cut off.
 * Throws `as-at-invalid`.
 */
export function parseAsAt(text: string): number {
  const asAtMs = text.length > TEXT_LENGTH_MAX ? undefined : findMs(text)
  if (asAtMs === undefined || asAtMs < AS_AT_MS_MIN || asAtMs > AS_AT_MS_MAX) {
    const given = text.slice(0, 100)
    throw new CatalogError('as-at-invalid', `${given} is not a time: use ${FORMS}.`, {
      facts: { asAt: given, forms: FORMS },
    })
  }
  return asAtMs
}

function findMs(text: string): number | undefined {
  if (YEAR.test(text) || MONTH.test(text)) return findMs(`${text}-01`)
  if (EPOCH_MS.test(text)) return Number(text)
  const parsed = parseTimestamp(text)
  return parsed === undefined ? undefined : Number(floorDivide(parsed.nanos, 1_000_000n))
}
