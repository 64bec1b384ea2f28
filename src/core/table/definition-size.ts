import { CatalogError } from '../errors.ts'
import type { TableDefinition } from './table.ts'

/** What a definition is of, as messages name it, and how long it may be. */
interface SizeRule {
  readonly what: string
  readonly charactersMax: number
  /** What can be removed. */
  readonly remedy: string
}

const MEBI = 1024 * 1024

/**
 * A table is read, written and published as a whole with each change: eight commits of 15 MiB of
 * properties took 2.5 GB of memory. Ten thousand columns are about half a MiB.
 */
const TABLE: SizeRule = {
  what: 'the definition of a table',
  charactersMax: 16 * MEBI,
  remedy: 'remove properties, schemas or statistics that are no longer needed',
}
/** All versions that a view keeps, with the texts of their queries. */
const VIEW: SizeRule = {
  what: 'the definition of a view',
  charactersMax: 8 * MEBI,
  remedy: 'keep fewer versions (version.history.num-entries), or shorten its queries',
}
const NAMESPACE: SizeRule = {
  what: 'the properties of a namespace',
  charactersMax: MEBI,
  remedy: 'remove some, or keep long texts elsewhere',
}
const SUMMARY: SizeRule = {
  what: 'the summary of a snapshot',
  charactersMax: MEBI,
  remedy: 'keep long texts elsewhere',
}

/** The parts that clients can make long. */
const PARTS = [
  ...(['schemas', 'partitionSpecs', 'sortOrders', 'properties'] as const),
  ...(['statistics', 'partitionStatistics', 'encryptionKeys'] as const),
] as const

/**
 * Throws `definition-too-large` if the definition has grown beyond what a table may have. One that
 * was larger `before` may shrink or stay as it is.
 */
export function requireBoundedDefinition(
  definition: TableDefinition,
  before?: TableDefinition,
): void {
  if (before !== undefined && PARTS.every((part) => definition[part] === before[part])) return
  const length = lengthOfDefinition(definition)
  if (length <= TABLE.charactersMax) return
  requireWithin(TABLE, { length, before: before === undefined ? 0 : lengthOfDefinition(before) })
}

/** Does the same for the metadata of a view, as JSON text. */
export function requireBoundedView(text: string, before = ''): void {
  requireWithin(VIEW, { length: text.length, before: before.length })
}

/** Does the same for the properties of a namespace. */
export function requireBoundedNamespace(properties: Properties, before: Properties = {}): void {
  requireWithin(NAMESPACE, { length: lengthOf(properties), before: lengthOf(before) })
}

/** Does the same for the summary that a client gives a snapshot. */
export function requireBoundedSummary(summary: Properties): void {
  requireWithin(SUMMARY, { length: lengthOf(summary), before: 0 })
}

type Properties = Readonly<Record<string, string>>

function requireWithin(
  { what, charactersMax, remedy }: SizeRule,
  { length, before }: { readonly length: number; readonly before: number },
): void {
  if (length <= charactersMax || length <= before) return
  throw new CatalogError(
    'definition-too-large',
    `${what} may have about ${charactersMax} characters; this one would have ${length}: ${remedy}`,
    { facts: { charactersMax, characters: length } },
  )
}

/** Schemas stay the same objects while others are added: each is measured once. */
const LENGTHS = new WeakMap<object, number>()

function lengthOfDefinition(definition: TableDefinition): number {
  let sum = 0
  for (const part of PARTS) {
    const value = definition[part]
    if (Array.isArray(value))
      for (const item of value as readonly object[]) sum += knownLength(item)
    else if (value !== undefined) sum += knownLength(value)
  }
  return sum
}

function knownLength(value: object): number {
  const known = LENGTHS.get(value)
  if (known !== undefined) return known
  const length = lengthOf(value)
  LENGTHS.set(value, length)
  return length
}

/** About the length of the value as JSON. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 8
  if (ArrayBuffer.isView(value)) return value.byteLength * 2
  let length = 2
  for (const key in value) {
    length += key.length + 4 + lengthOf((value as Record<string, unknown>)[key])
  }
  return length
}
