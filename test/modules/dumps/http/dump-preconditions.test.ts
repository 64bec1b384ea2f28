import {
  isRangeCurrent,
  judgePreconditions,
  parseHttpDate,
  saysWhichState,
} from '../../../../src/http/preconditions.ts'
import { parsePrefer } from '../../../../src/http/prefer.ts'

const ETAG = '"17-csv-1"'
const CHANGED_MS = Date.UTC(2024, 2, 17, 23, 51, 46, 789)
const BEFORE = 'Sun, 17 Mar 2024 23:51:45 GMT'
const SAME = 'Sun, 17 Mar 2024 23:51:46 GMT'
const AFTER = 'Sun, 17 Mar 2024 23:51:47 GMT'
const VALIDATORS = { etag: ETAG, lastModifiedMs: CHANGED_MS, isDateExact: true }

type State = 'right' | 'wrong' | undefined
const STATES: readonly State[] = [undefined, 'right', 'wrong']

/** `right`: the client means the current version. */
function headersOf(states: Record<string, State>) {
  const values: Record<string, Record<'right' | 'wrong', string>> = {
    'if-match': { right: `"other", ${ETAG}`, wrong: '"other"' },
    'if-unmodified-since': { right: SAME, wrong: BEFORE },
    'if-none-match': { right: `W/${ETAG}`, wrong: '"other", "another"' },
    'if-modified-since': { right: SAME, wrong: BEFORE },
  }
  const given = Object.entries(states).filter(([, state]) => state !== undefined)
  return Object.fromEntries(given.map(([name, state]) => [name, values[name]?.[state ?? 'right']]))
}

/** RFC 9110, 13.2.2, step by step. */
function expected(match: State, unmodified: State, noneMatch: State, modified: State) {
  if (match === 'wrong') return 'failed'
  if (match === undefined && unmodified === 'wrong') return 'failed'
  if (noneMatch === 'right') return 'not-modified'
  if (noneMatch === undefined && modified === 'right') return 'not-modified'
  return 'proceed'
}

const combinations = STATES.flatMap((match) =>
  STATES.flatMap((unmodified) =>
    STATES.flatMap((noneMatch) =>
      STATES.map((modified) => [match, unmodified, noneMatch, modified] as const),
    ),
  ),
)

test.each(combinations)(
  'If-Match %s, If-Unmodified-Since %s, If-None-Match %s, If-Modified-Since %s: RFC 9110',
  (...states) => {
    const [match, unmodified, noneMatch, modified] = states
    const headers = headersOf({
      'if-match': match,
      'if-unmodified-since': unmodified,
      'if-none-match': noneMatch,
      'if-modified-since': modified,
    })
    expect(judgePreconditions(headers, VALIDATORS)).toBe(expected(...states))
  },
)

test.each([
  [{ 'if-match': '*' }, 'proceed'],
  [{ 'if-match': `W/${ETAG}` }, 'failed'],
  [{ 'if-match': '17-csv-1' }, 'failed'],
  [{ 'if-match': '' }, 'failed'],
  [{ 'if-none-match': '*' }, 'not-modified'],
  [{ 'if-none-match': ETAG }, 'not-modified'],
  [{ 'if-none-match': `"a,b" , ${ETAG},` }, 'not-modified'],
  [{ 'if-none-match': '17-csv-1' }, 'proceed'],
  [{ 'if-modified-since': AFTER }, 'not-modified'],
  [{ 'if-modified-since': 'Sunday, 17-Mar-24 23:51:46 GMT' }, 'not-modified'],
  [{ 'if-modified-since': 'Sun Mar 17 23:51:46 2024' }, 'not-modified'],
  [{ 'if-modified-since': '2024-03-17' }, 'proceed'],
  [{ 'if-modified-since': 'yesterday' }, 'proceed'],
  [{ 'if-unmodified-since': AFTER }, 'proceed'],
  [{ 'if-unmodified-since': 'yesterday' }, 'proceed'],
] as const)('%j is judged as %s', (headers, verdict) => {
  expect(judgePreconditions(headers, VALIDATORS)).toBe(verdict)
})

test('a date that fits two snapshots proves nothing', () => {
  const validators = { ...VALIDATORS, isDateExact: false }
  expect(judgePreconditions({ 'if-modified-since': SAME }, validators)).toBe('proceed')
  expect(judgePreconditions({ 'if-unmodified-since': SAME }, validators)).toBe('failed')
  expect(isRangeCurrent({ 'if-range': SAME }, validators)).toBe(false)
})

test.each([
  [undefined, true],
  [ETAG, true],
  [`W/${ETAG}`, false],
  ['"other"', false],
  [SAME, true],
  [BEFORE, false],
  [AFTER, false],
  ['nonsense', false],
])('with If-Range %s a range is honoured: %s', (ifRange, isHonoured) => {
  expect(isRangeCurrent({ 'if-range': ifRange }, VALIDATORS)).toBe(isHonoured)
})

test('a client says which state it has by If-Range or by a tag in If-Match, not by a star', () => {
  expect(saysWhichState({})).toBe(false)
  expect(saysWhichState({ 'if-match': '*' })).toBe(false)
  expect(saysWhichState({ 'if-match': ETAG })).toBe(true)
  expect(saysWhichState({ 'if-range': ETAG })).toBe(true)
})

test('dates of HTTP are read in all three forms, in UTC, and nothing else is', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37)
  expect(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(at)
  expect(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT')).toBe(at)
  expect(parseHttpDate('Sun Nov  6 08:49:37 1994')).toBe(at)
  for (const text of [undefined, '', '0', '1994', 'Sun, 06 Nov 1994 08:49:37', '6 Nov 1994']) {
    expect(parseHttpDate(text)).toBeUndefined()
  }
})

test.each([
  [undefined, false, undefined],
  ['respond-async', true, undefined],
  ['Respond-Async, wait=10', true, 10],
  ['handling=lenient; x=1, wait="5"', false, 5],
  ['wait=-1, respond-asynchronously', false, undefined],
])('Prefer: %s', (header, isAsync, waitSeconds) => {
  expect(parsePrefer(header)).toEqual({ isAsync, waitSeconds })
})
