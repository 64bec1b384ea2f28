import type { IncomingHttpHeaders } from 'node:http'
import { requestInvalid } from './problem.ts'

/** Validators that distinguish states of a resource. */
export interface Validators {
  /** Strong entity tag, with its quotes. */
  readonly etag: string
  /** Time of the last change; an HTTP date has only seconds. */
  readonly lastModifiedMs: number
  /** Whether no other state of the resource has the same HTTP date. */
  readonly isDateExact: boolean
}

type Conditions = Pick<
  IncomingHttpHeaders,
  'if-match' | 'if-none-match' | 'if-modified-since' | 'if-unmodified-since'
> & { readonly 'if-range'?: string | string[] | undefined }

/**
 * Evaluates the conditions of a GET or HEAD in the order of RFC 9110, 13.2.2. `failed` is a 412,
 * `not-modified` a 304.
 */
export function judgePreconditions(
  headers: Conditions,
  validators: Validators,
): 'proceed' | 'failed' | 'not-modified' {
  if (!isStateExpected(headers, validators)) return 'failed'
  return isStateKnown(headers, validators) ? 'not-modified' : 'proceed'
}

/** Evaluates If-Match, or If-Unmodified-Since if that is absent. */
function isStateExpected(headers: Conditions, { etag, ...validators }: Validators): boolean {
  const match = headers['if-match']
  if (match !== undefined) return isAny(match) || entityTags(match).includes(etag)
  const sinceMs = parseHttpDate(headers['if-unmodified-since'])
  // A date that could mean two states does not prove that nothing changed.
  if (sinceMs === undefined) return true
  return validators.isDateExact && wholeSecond(validators) <= sinceMs
}

/** Evaluates If-None-Match, or If-Modified-Since if that is absent. */
function isStateKnown(headers: Conditions, { etag, ...validators }: Validators): boolean {
  const noneMatch = headers['if-none-match']
  if (noneMatch !== undefined) {
    // The weak comparison: a proxy may have weakened the tag.
    return isAny(noneMatch) || entityTags(noneMatch).some((tag) => tag.replace('W/', '') === etag)
  }
  const sinceMs = parseHttpDate(headers['if-modified-since'])
  return sinceMs !== undefined && validators.isDateExact && wholeSecond(validators) <= sinceMs
}

/**
 * Whether Range may be honoured: If-Range is absent or means exactly this state (RFC 9110, 13.1.5).
 */
export function isRangeCurrent(
  { 'if-range': ifRange }: Conditions,
  { etag, ...validators }: Validators,
): boolean {
  if (ifRange === undefined) return true
  const text = String(ifRange)
  if (text.includes('"')) return text.trim() === etag
  return validators.isDateExact && parseHttpDate(text) === wholeSecond(validators)
}

/** Whether the client named the state that the range must be of; `*` does not name one. */
export function saysWhichState(headers: Conditions): boolean {
  const match = headers['if-match']
  return headers['if-range'] !== undefined || (match !== undefined && !isAny(match))
}

export function httpDate(atMs: number): string {
  return new Date(atMs).toUTCString()
}

function wholeSecond({ lastModifiedMs }: Pick<Validators, 'lastModifiedMs'>): number {
  return Math.floor(lastModifiedMs / 1000) * 1000
}

function isAny(list: string): boolean {
  return list.trim() === '*'
}

const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

function entityTags(list: string): readonly string[] {
  return list.match(ENTITY_TAG) ?? []
}

const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
const TIME = '\\d\\d:\\d\\d:\\d\\d'
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
/** The date format to write, and two old ones that must still be read (RFC 9110, 5.6.7). */
const IMF_FIXDATE = new RegExp(`^${DAY}, \\d\\d ${MONTH} \\d{4} ${TIME} GMT$`)
const ASCTIME = new RegExp(`^${DAY} ${MONTH} [ \\d]\\d ${TIME} \\d{4}$`)
const RFC_850 = new RegExp(`^[A-Z][a-z]+day, (\\d\\d)-(${MONTH})-(\\d\\d) (${TIME}) GMT$`)
const HALF_CENTURY = 50

/** `undefined` if it is not a date: such a condition is ignored. */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const atMs = Date.parse(inOneForm(text.trim()))
  return Number.isNaN(atMs) ? undefined : atMs
}

function inOneForm(text: string): string {
  if (IMF_FIXDATE.test(text)) return text
  if (ASCTIME.test(text)) return `${text} GMT`
  const [, day, month, year, time] = RFC_850.exec(text) ?? []
  if (year === undefined) return ''
  return `${day} ${month} ${fullYear(Number(year))} ${time} GMT`
}

/** A two-digit year is never more than fifty years in the future. */
function fullYear(year: number): number {
  const thisYear = new Date().getUTCFullYear()
  const candidate = thisYear - (thisYear % 100) + year
  return candidate > thisYear + HALF_CENTURY ? candidate - 100 : candidate
}

/**
 * The time in Accept-Datetime (RFC 7089), to the second; `undefined` without one. Throws
 * `request-invalid` for what is no date.
 */
export function acceptDatetime(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['accept-datetime']
  if (text === undefined) return undefined
  const atMs = parseHttpDate(String(text))
  if (atMs !== undefined) return atMs
  const message = 'is no date, such as `Sun, 17 Mar 2024 23:51:46 GMT`'
  throw requestInvalid([{ path: 'header.accept-datetime', message }])
}
