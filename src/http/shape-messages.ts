import type { z } from 'zod'

const SHOWN_KEYS_MAX = 5
const SHOWN_LENGTH_MAX = 100

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  bigint: 'an integer',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

/** What is wrong with a member of a request, in words of JSON. */
export function plainMessage(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : mustBe([issue.expected], issue.input)
    case 'invalid_value':
      return `must be ${issue.values.map(quoted).join(' or ')}`
    case 'too_big':
      return tooMuch(issue)
    case 'too_small':
      return tooLittle(issue)
    case 'unrecognized_keys':
      return unknownMembers(issue.keys, membersOf(issue.inst))
    case 'invalid_union':
      return ofUnion(issue)
    case 'invalid_key':
      return `its key ${issue.issues[0]?.message ?? 'is invalid'}`
    case 'invalid_format':
      return 'has the wrong form'
    default:
      return undefined
  }
}

function mustBe(expected: readonly string[], input: unknown): string {
  // What a query parameter became that is no number.
  if (Number.isNaN(input)) return 'must be a number'
  const wanted = [...new Set(expected.map((kind) => KINDS[kind] ?? kind))].join(' or ')
  const found = kindOf(input)
  return wanted === found ? `must be ${wanted} of this range` : `must be ${wanted}, not ${found}`
}

function kindOf(input: unknown): string {
  if (input === null) return 'null'
  if (Array.isArray(input)) return 'an array'
  if (typeof input === 'number') return Number.isInteger(input) ? 'an integer' : 'a number'
  return KINDS[typeof input] ?? typeof input
}

const UNITS: Readonly<Record<string, string>> = {
  string: 'characters',
  array: 'items',
  record: 'members',
}

type Sized<Code> = Extract<z.core.$ZodRawIssue, { readonly code?: Code }>

function tooMuch({ origin, maximum }: Sized<'too_big'>): string {
  const unit = UNITS[String(origin)]
  return unit === undefined ? `must be at most ${maximum}` : `has more than ${maximum} ${unit}`
}

function tooLittle({ origin, minimum }: Sized<'too_small'>): string {
  const unit = UNITS[String(origin)]
  if (unit === undefined) return `must be at least ${minimum}`
  return Number(minimum) === 1 ? 'must not be empty' : `has fewer than ${minimum} ${unit}`
}

function unknownMembers(keys: readonly string[], known: readonly string[]): string {
  const shown = keys.slice(0, SHOWN_KEYS_MAX).map(quoted).join(', ')
  const more = keys.length > SHOWN_KEYS_MAX ? ` and ${keys.length - SHOWN_KEYS_MAX} more` : ''
  const there = known.length === 0 ? 'none is known here' : `known here: ${known.join(', ')}`
  return `unknown ${keys.length === 1 ? 'member' : 'members'} ${shown}${more}; ${there}`
}

/** Those of the object that a shape describes. */
function membersOf(shape: unknown): readonly string[] {
  const { shape: members } = Object(shape) as { readonly shape?: object }
  return Object.keys(members ?? {})
}

/** The reason of the one alternative that fits the kind of value, or all kinds that would do. */
function ofUnion({ errors, input, ...issue }: Sized<'invalid_union'>): string {
  const options = (issue as { options?: readonly unknown[] }).options
  if (options !== undefined) return `must be ${options.map(quoted).join(' or ')}`
  const expected: string[] = []
  for (const [first] of errors) {
    const isOtherKind = first?.code === 'invalid_type' && first.path.length === 0
    if (!isOtherKind) return first?.message ?? 'is invalid'
    expected.push(first.expected)
  }
  return input === undefined ? 'is missing' : mustBe(expected, input)
}

function quoted(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX))
    : String(value)
}
