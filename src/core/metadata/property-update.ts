import { CatalogError } from '../errors.ts'
import { checkInlineMax } from '../query/inline-max.ts'
import { readNameMapping } from '../schema/name-mapping-property.ts'
import type { TableDefinition } from '../table/table.ts'
import {
  CKAN_RESOURCE_PROPERTY,
  ckanResourceOf,
  LOST_NAMES_PROPERTY,
  NAME_MAPPING_PROPERTY,
  RELATED_COLUMNS_PROPERTY,
  readAliases,
  readDescription,
  readLostNames,
  readRelatedColumns,
} from '../table-properties.ts'
import type { TableDraft } from './table-draft.ts'
import { invalidUpdate, shortened } from './update-problem.ts'

/** What the service alone writes. */
const OWN_RECORDS: ReadonlySet<string> = new Set([RELATED_COLUMNS_PROPERTY, LOST_NAMES_PROPERTY])
/**
 * Reserved in Iceberg's `TableProperties`: other members of the metadata hold these, so they are
 * never stored. What the service alone keeps is taken from no client either.
 */
const RESERVED_PROPERTIES: ReadonlySet<string> = new Set([
  'format-version',
  'uuid',
  'snapshot-count',
  'current-snapshot-summary',
  'current-snapshot-id',
  'current-snapshot-timestamp-ms',
  'current-schema',
  'default-partition-spec',
  'default-sort-order',
  ...OWN_RECORDS,
])
const FORMAT_VERSION = 'format-version'
const OWN_PREFIX = 'moraine.'
const PROPERTIES_MAX = 10_000

/**
 * Sets properties. Reserved ones are ignored, except the format version, which upgrades the table
 * as in Iceberg's Java library.
 */
export function setProperties(draft: TableDraft, updates: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(updates)) {
    if (key === FORMAT_VERSION) upgradeFormatVersion(draft, parseFormatVersion(value))
    else if (!RESERVED_PROPERTIES.has(key)) draft.properties.set(key, value)
  }
}

export function removeProperties(draft: TableDraft, removals: readonly string[]): void {
  for (const key of removals) {
    if (!OWN_RECORDS.has(key)) draft.properties.delete(key)
  }
}

export function upgradeFormatVersion(draft: TableDraft, givenVersion: number): void {
  const { formatVersion } = draft.definition
  const version = requireFormatVersion(givenVersion)
  if (version < formatVersion) {
    throw invalidUpdate(`Cannot downgrade v${formatVersion} table to v${version}`)
  }
  if (version > formatVersion) draft.change({ formatVersion: version })
}

/**
 * Checks that there are not too many, that `/v1` can read Moraine's own, and that data files can be
 * read by the name mapping: a bad one that the table had `before` does not keep it from changing.
 */
export function checkProperties(
  properties: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>> = {},
): void {
  if (properties[NAME_MAPPING_PROPERTY] !== before[NAME_MAPPING_PROPERTY]) {
    checkNameMapping(properties)
  }
  requireFewProperties(Object.keys(properties).length)
  if (!Object.keys(properties).some((key) => key.startsWith(OWN_PREFIX))) return
  try {
    checkOwn(properties)
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw invalidUpdate(`Invalid property of Moraine's own: ${problem}`)
  }
}

/** Throws `update-invalid`. */
export function requireFewProperties(count: number): void {
  if (count <= PROPERTIES_MAX) return
  throw invalidUpdate(`A table has at most ${PROPERTIES_MAX} properties`)
}

export function unreservedProperties(
  properties: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const kept = Object.entries(properties).filter(([key]) => !RESERVED_PROPERTIES.has(key))
  return Object.fromEntries(kept)
}

/** The format version in the properties of a new table; 2 if there is none. */
export function formatVersionOf(
  properties: Readonly<Record<string, string>>,
): TableDefinition['formatVersion'] {
  const text = Object.hasOwn(properties, FORMAT_VERSION) ? properties[FORMAT_VERSION] : undefined
  return text === undefined ? 2 : requireFormatVersion(parseFormatVersion(text))
}

export function requireFormatVersion(version: number): TableDefinition['formatVersion'] {
  if (version === 1 || version === 2 || version === 3) return version
  throw invalidUpdate(`Unsupported format version: v${version} (supported: v3)`)
}

function parseFormatVersion(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw invalidUpdate(`Invalid format version: ${shortened(text)}`)
}

function checkNameMapping(properties: Readonly<Record<string, string>>): void {
  try {
    readNameMapping(properties)
  } catch (cause) {
    if (!(cause instanceof CatalogError)) throw cause
    throw new CatalogError('update-invalid', `Invalid property: ${cause.message}`, {
      facts: cause.facts,
      cause,
    })
  }
}

function checkOwn(properties: Readonly<Record<string, string>>): void {
  const { metadata, disposition } = readDescription(properties)
  requirePlainObject(metadata, 'moraine.metadata')
  if (disposition !== null && disposition !== 'snapshot' && disposition !== 'continuous') {
    throw new Error('moraine.disposition is snapshot or continuous')
  }
  if (CKAN_RESOURCE_PROPERTY in properties && ckanResourceOf(properties) === undefined) {
    throw new Error(`${CKAN_RESOURCE_PROPERTY} has 1 to 100 letters, digits, _ and -`)
  }
  checkInlineMax(properties)
  readRelatedColumns(properties)
  readLostNames(properties)
  for (const [id, names] of readAliases(properties)) {
    const isList = Array.isArray(names) && names.every((name) => typeof name === 'string')
    if (!Number.isInteger(id) || !isList) {
      throw new Error('moraine.column-aliases is an object of lists of names by field id')
    }
  }
}

function requirePlainObject(value: unknown, property: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new Error(`${property} is a JSON object`)
}
