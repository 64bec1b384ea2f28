import { floorDivide } from './decimal.ts'

/**
 * Calendar text of the proleptic Gregorian calendar, exact to the nanosecond, for any year of an
 * int of days.
 */

export const MICROS_PER_DAY = 86_400_000_000n
export const NANOS_PER_DAY = 86_400_000_000_000n
export const NANOS_PER_HOUR = 3_600_000_000_000n

export interface CivilDate {
  /** Year 0 is 1 BC. */
  readonly year: number
  /** 1-12. */
  readonly month: number
  /** 1-31. */
  readonly day: number
}

// Years are counted from March, in eras of 400 years (146,097 days): leap days then end a year.
const DAYS_PER_ERA = 146_097
const DAYS_FROM_ERA_START_TO_1970 = 719_468

export function civilFromDays(days: number): CivilDate {
  const shifted = days + DAYS_FROM_ERA_START_TO_1970
  const era = Math.floor(shifted / DAYS_PER_ERA)
  const dayOfEra = shifted - era * DAYS_PER_ERA
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  }
}

export function daysFromCivil({ year, month, day }: CivilDate): number {
  const yearFromMarch = month <= 2 ? year - 1 : year
  const era = Math.floor(yearFromMarch / 400)
  const yearOfEra = yearFromMarch - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * DAYS_PER_ERA + dayOfEra - DAYS_FROM_ERA_START_TO_1970
}

function isCivilDate(date: CivilDate): boolean {
  if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31) return false
  const { year, month, day } = civilFromDays(daysFromCivil(date))
  return year === date.year && month === date.month && day === date.day
}

/** Formats days since 1970 as `2017-11-16`, `-0044-03-15` or `+12024-01-01`. */
export function dateText(days: number): string {
  const { year, month, day } = civilFromDays(days)
  return `${yearText(year)}-${twoDigits(month)}-${twoDigits(day)}`
}

/** Formats years as Java's ISO formats do: at least four digits, with `+` from 10000 on. */
export function yearText(year: number): string {
  if (year < 0) return `-${String(-year).padStart(4, '0')}`
  return year > 9999 ? `+${year}` : String(year).padStart(4, '0')
}

const TWO_DIGITS = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'))

export function twoDigits(number: number): string {
  return TWO_DIGITS[number] ?? String(number).padStart(2, '0')
}

/** Formats a count of `10 ** -digits` seconds since midnight as `22:31:08.123456`. */
export function timeText(ticks: bigint, digits: 6 | 9): string {
  const perSecond = 10n ** BigInt(digits)
  const seconds = Number(ticks / perSecond)
  const fraction = String(ticks % perSecond).padStart(digits, '0')
  const minutes = Math.floor(seconds / 60)
  const clock = [Math.floor(minutes / 60), minutes % 60, seconds % 60].map(twoDigits).join(':')
  return `${clock}.${fraction}`
}

/** Formats a count of `10 ** -digits` seconds since 1970 as `2017-11-16T22:31:08.123456`. */
export function timestampText(ticks: bigint, digits: 6 | 9): string {
  const micros = digits === 6 ? Number(ticks) : Number.NaN
  if (Number.isSafeInteger(micros)) return microsText(micros)
  const perDay = digits === 6 ? MICROS_PER_DAY : NANOS_PER_DAY
  const days = floorDivide(ticks, perDay)
  return `${dateText(Number(days))}T${timeText(ticks - days * perDay, digits)}`
}

/**
 * Does the same as `timestampText` with numbers, which are exact for the years 1685 to 2255: faster
 * for lists.
 */
function microsText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const days = Math.floor(seconds / 86_400)
  const second = seconds - days * 86_400
  const minutes = Math.floor(second / 60)
  const hour = twoDigits(Math.floor(minutes / 60))
  const clock = `${hour}:${twoDigits(minutes % 60)}:${twoDigits(second % 60)}`
  return `${dateText(days)}T${clock}.${String(micros - seconds * 1_000_000).padStart(6, '0')}`
}

const DATE_PATTERN = /^([+-]?)(\d{4,8})-(\d{2})-(\d{2})$/
const TIME_PATTERN = /^(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,18}))?)?$/
const OFFSET_PATTERN = /(?:Z|z|([+-])(\d{2}):?(\d{2})?)$/

/** Parses days since 1970; `undefined` unless the text is an ISO date that exists. */
export function parseDate(text: string): number | undefined {
  const match = DATE_PATTERN.exec(text)
  if (match === null) return undefined
  const [, sign, year, month, day] = match
  const date = {
    year: sign === '-' ? -Number(year) : Number(year),
    month: Number(month),
    day: Number(day),
  }
  return isCivilDate(date) ? daysFromCivil(date) : undefined
}

/** A time to the nanosecond. `hasFinerDigits` if the text had further digits other than zero. */
export interface ParsedInstant {
  readonly nanos: bigint
  readonly hasFinerDigits: boolean
}

/** Parses `22:31`, `22:31:08` or `22:31:08.123456` to the time since midnight. */
export function parseTime(text: string): ParsedInstant | undefined {
  const match = TIME_PATTERN.exec(text)
  if (match === null) return undefined
  const [, hours = '', minutes = '', seconds = '0', fraction = ''] = match
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined
  const whole = BigInt((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds))
  const nanos = whole * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  return { nanos, hasFinerDigits: /[1-9]/.test(fraction.slice(9)) }
}

export interface ParsedTimestamp extends ParsedInstant {
  /** Whether the text had an offset, which is already applied. */
  readonly hasOffset: boolean
}

/**
 * Parses `2017-11-16`, `2017-11-16T22:31`, `2017-11-16 22:31:08.123456+01:00` or `...Z` to the time
 * since 1970.
 */
export function parseTimestamp(text: string): ParsedTimestamp | undefined {
  const split = text.search(/[Tt ]/)
  const days = parseDate(split < 0 ? text : text.slice(0, split))
  if (days === undefined) return undefined
  if (split < 0) {
    return { nanos: BigInt(days) * NANOS_PER_DAY, hasFinerDigits: false, hasOffset: false }
  }
  const clock = text.slice(split + 1)
  const offset = OFFSET_PATTERN.exec(clock)
  const time = parseTime((offset === null ? clock : clock.slice(0, offset.index)).trimEnd())
  const offsetMinutes = offset === null ? 0 : minutesOfOffset(offset)
  if (time === undefined || offsetMinutes === undefined) return undefined
  return {
    nanos:
      BigInt(days) * NANOS_PER_DAY + time.nanos - BigInt(offsetMinutes) * (NANOS_PER_HOUR / 60n),
    hasFinerDigits: time.hasFinerDigits,
    hasOffset: offset !== null,
  }
}

function minutesOfOffset([, sign, hours, minutes = '0']: RegExpExecArray): number | undefined {
  if (sign === undefined) return 0
  if (Number(hours) > 18 || Number(minutes) > 59) return undefined
  const magnitude = Number(hours) * 60 + Number(minutes)
  return sign === '-' ? -magnitude : magnitude
}

/** The day of an instant in milliseconds, in UTC: `2024-03-17`. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}
