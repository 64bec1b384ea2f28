import { CatalogError } from './errors.ts'

/**
 * Iceberg table property: how columns are found in files without field ids (Iceberg spec, "Column
 * Projection").
 */
export const NAME_MAPPING_PROPERTY = 'schema.name-mapping.default'
/** Iceberg table property: whether the table's files may ever be deleted. */
const GC_PROPERTY = 'gc.enabled'
/** Iceberg, "Table behavior properties": earlier metadata files that the log names. */
const METADATA_LOG_PROPERTY = 'write.metadata.previous-versions-max'
const METADATA_LOG_DEFAULT = 100
/** Every metadata file has the whole log. */
const METADATA_LOG_MAX = 10_000
const DELETE_METADATA_PROPERTY = 'write.metadata.delete-after-commit.enabled'
/** Id of the resource of CKAN that the table is; no two tables have the same. */
export const CKAN_RESOURCE_PROPERTY = 'moraine.ckan-resource-id'
const CKAN_RESOURCE_ID = /^[A-Za-z0-9_-]{1,100}$/
const DESCRIPTION = 'comment'
const STEWARD = 'moraine.steward'
const DISPOSITION = 'moraine.disposition'
const METADATA = 'moraine.metadata'
export const ALIASES_PROPERTY = 'moraine.column-aliases'
/**
 * Lists of field ids under which one column had its values, before and after it was converted. The
 * service alone writes it: masks and rollbacks follow it.
 */
export const RELATED_COLUMNS_PROPERTY = 'moraine.related-columns'
/**
 * Field ids of columns that files may have under names, or of types, which nothing else tells any
 * more. The service alone writes it: what manifests say of these columns is not believed.
 */
export const LOST_NAMES_PROPERTY = 'moraine.lost-names'

export type Disposition = 'snapshot' | 'continuous'
export type TableProperties = Readonly<Record<string, string>>
export type AliasesById = ReadonlyMap<number, readonly string[]>

/** What people say about a table. Null or absent means that nothing is said. */
export interface TableDescription {
  readonly description: string | null
  readonly steward: string | null
  readonly disposition: Disposition | null
  /** Any JSON by key. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/**
 * A change of the description. An absent member stays and null removes; the same holds for each key
 * of `metadata`.
 */
export interface TableDescriptionChange {
  readonly description?: string | null | undefined
  readonly steward?: string | null | undefined
  readonly disposition?: Disposition | null | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/**
 * How many metadata files before the newest the metadata log names, and stay: a hundred, as in
 * Iceberg, unless the table says otherwise.
 */
export function metadataLogMax(properties: TableProperties): number {
  const wanted = Number(properties[METADATA_LOG_PROPERTY] ?? METADATA_LOG_DEFAULT)
  if (!Number.isInteger(wanted)) return METADATA_LOG_DEFAULT
  return Math.min(Math.max(wanted, 1), METADATA_LOG_MAX)
}

/**
 * Whether older metadata files are deleted: unlike in Iceberg they are unless the table says
 * otherwise, or that its files are nobody's to delete.
 */
export function deletesOldMetadata(properties: TableProperties): boolean {
  const isEnabled = properties[DELETE_METADATA_PROPERTY]
  return isEnabled === undefined ? !keepsFiles(properties) : isEnabled.toLowerCase() === 'true'
}

/** Whether `gc.enabled` is set and not true, as Iceberg's Java library reads booleans. */
export function keepsFiles(properties: TableProperties): boolean {
  const isEnabled = properties[GC_PROPERTY]
  return isEnabled !== undefined && isEnabled.toLowerCase() !== 'true'
}

/** The same properties, of a table whose files may never be deleted. */
export function withKeptFiles(properties: TableProperties): TableProperties {
  return { ...properties, [GC_PROPERTY]: 'false' }
}

/** The resource of CKAN that the table is, if it says so. */
export function ckanResourceOf(properties: TableProperties): string | undefined {
  const id = properties[CKAN_RESOURCE_PROPERTY]
  return id !== undefined && CKAN_RESOURCE_ID.test(id) ? id : undefined
}

export function readDescription(properties: TableProperties): TableDescription {
  return {
    description: properties[DESCRIPTION] ?? null,
    steward: properties[STEWARD] ?? null,
    disposition: (properties[DISPOSITION] as Disposition | undefined) ?? null,
    metadata: readJson(properties, METADATA) as Record<string, unknown>,
  }
}

export function changeDescription(
  properties: TableProperties,
  change: TableDescriptionChange,
): TableProperties {
  const changed: Record<string, string> = { ...properties }
  setOrRemove(changed, DESCRIPTION, change.description)
  setOrRemove(changed, STEWARD, change.steward)
  setOrRemove(changed, DISPOSITION, change.disposition)
  if (change.metadata !== undefined) {
    const before = Object.entries(readDescription(properties).metadata)
    const merged = new Map([...before, ...Object.entries(change.metadata)])
    const kept = [...merged].filter(([, value]) => value !== null)
    const text = kept.length === 0 ? null : JSON.stringify(Object.fromEntries(kept))
    setOrRemove(changed, METADATA, text)
  }
  return changed
}

export function readAliases(properties: TableProperties): AliasesById {
  const entries = Object.entries(readJson(properties, ALIASES_PROPERTY) as Record<string, string[]>)
  return new Map(entries.map(([id, names]) => [Number(id), names]))
}

export function changeAliases(properties: TableProperties, aliases: AliasesById): TableProperties {
  const named = [...aliases].filter(([, names]) => names.length > 0)
  const changed: Record<string, string> = { ...properties }
  const text = named.length === 0 ? null : JSON.stringify(Object.fromEntries(named))
  setOrRemove(changed, ALIASES_PROPERTY, text)
  return changed
}

export function readRelatedColumns(properties: TableProperties): readonly (readonly number[])[] {
  if (properties[RELATED_COLUMNS_PROPERTY] === undefined) return []
  const groups = readJson(properties, RELATED_COLUMNS_PROPERTY)
  const isList = (ids: unknown) => Array.isArray(ids) && ids.every((id) => Number.isInteger(id))
  if (Array.isArray(groups) && groups.every(isList)) return groups as number[][]
  const rule = `the table property ${RELATED_COLUMNS_PROPERTY} is not a list of lists of field ids`
  throw new CatalogError('metadata-corrupt', rule)
}

export function writeRelatedColumns(
  properties: TableProperties,
  groups: readonly (readonly number[])[],
): TableProperties {
  const changed: Record<string, string> = { ...properties }
  const text = groups.length === 0 ? null : JSON.stringify(groups)
  setOrRemove(changed, RELATED_COLUMNS_PROPERTY, text)
  return changed
}

export function readLostNames(properties: TableProperties): readonly number[] {
  if (properties[LOST_NAMES_PROPERTY] === undefined) return []
  const ids = readJson(properties, LOST_NAMES_PROPERTY)
  if (Array.isArray(ids) && ids.every((id) => Number.isInteger(id))) return ids as number[]
  const rule = `the table property ${LOST_NAMES_PROPERTY} is not a list of field ids`
  throw new CatalogError('metadata-corrupt', rule)
}

export function writeLostNames(
  properties: TableProperties,
  ids: readonly number[],
): TableProperties {
  return { ...properties, [LOST_NAMES_PROPERTY]: JSON.stringify(ids) }
}

function setOrRemove(
  properties: Record<string, string>,
  key: string,
  value: string | null | undefined,
): void {
  if (value === undefined) return
  if (value === null) delete properties[key]
  else properties[key] = value
}

function readJson(properties: TableProperties, key: string): unknown {
  const text = properties[key]
  if (text === undefined) return {}
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', `the table property ${key} is not JSON`, { cause })
  }
}
