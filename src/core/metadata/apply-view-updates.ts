import type { Schema } from '../value/type.ts'
import { ChangingMap } from './changing-map.ts'
import { withoutSlashes } from './location.ts'
import { checkSchema, schemaKey } from './schema-check.ts'
import { LAST_ADDED } from './table-update.ts'
import { applyInTurn, invalidUpdate, shortened, staleUpdate } from './update-problem.ts'
import type {
  ViewLogEntry,
  ViewMetadata,
  ViewRequirement,
  ViewUpdate,
  ViewVersion,
} from './view-metadata.ts'
import { checkDialectsKept, expireVersions } from './view-version-rules.ts'

const VIEW_FORMAT_VERSION = 1
const PROPERTIES_MAX = 10_000
export const REPRESENTATIONS_MAX = 100
const FIRST_VERSION_ID = 1

/**
 * Applies all updates or none; returns the base itself if nothing changes. Throws `update-invalid`.
 */
export function applyViewUpdates(
  base: ViewMetadata,
  updates: readonly ViewUpdate[],
  { nowMs }: { readonly nowMs: number },
): ViewMetadata {
  const draft = new ViewDraft(base)
  applyInTurn(updates, (update) => draft.apply(update))
  return draft.finish(nowMs)
}

/** Throws `commit-conflict` for the first requirement that does not hold. */
export function checkViewRequirements(
  requirements: readonly ViewRequirement[],
  { viewUuid }: ViewMetadata,
): void {
  for (const { type, uuid } of requirements) {
    if (viewUuid.toLowerCase() === uuid.toLowerCase()) continue
    throw staleUpdate(
      `Requirement failed: view UUID does not match: expected ${viewUuid} != ${shortened(uuid)}`,
      { requirement: type },
    )
  }
}

export interface NewViewRequest {
  readonly viewUuid: string
  readonly location: string
  readonly schema: Schema
  /** Refers to the schema above, whatever its schema id. */
  readonly version: ViewVersion
  readonly properties: Readonly<Record<string, string>>
  readonly nowMs: number
}

/** A view with its first version. The schema keeps its field ids. Throws `update-invalid`. */
export function newViewMetadata(request: NewViewRequest): ViewMetadata {
  const { viewUuid, location, schema, version, properties, nowMs } = request
  const unmade: ViewMetadata = {
    viewUuid,
    formatVersion: VIEW_FORMAT_VERSION,
    location,
    currentVersionId: LAST_ADDED,
    schemas: [],
    versions: [],
    versionLog: [],
    properties: {},
  }
  const updates: readonly ViewUpdate[] = [
    { action: 'set-location', location },
    { action: 'set-properties', updates: properties },
    { action: 'add-schema', schema },
    { action: 'add-view-version', version: { ...version, schemaId: LAST_ADDED } },
    { action: 'set-current-view-version', versionId: LAST_ADDED },
  ]
  return applyViewUpdates(unmade, updates, { nowMs })
}

class ViewDraft {
  readonly #base: ViewMetadata
  readonly #properties: ChangingMap<string>
  readonly #schemas: Map<number, Schema>
  /** Made when they are asked for: most changes add none. */
  #schemaIdsByKey: Map<string, number> | undefined
  readonly #versions: Map<number, ViewVersion>
  #versionIdsByKey: Map<string, number> | undefined
  readonly #addedVersionIds = new Set<number>()
  #location: string
  #currentVersionId: number
  #lastAddedSchemaId: number | undefined
  #lastAddedVersionId: number | undefined

  constructor(base: ViewMetadata) {
    this.#base = base
    this.#location = base.location
    this.#currentVersionId = base.currentVersionId
    this.#properties = new ChangingMap(base.properties)
    this.#schemas = new Map(base.schemas.map((schema) => [schema.schemaId, schema]))
    this.#versions = new Map(base.versions.map((version) => [version.versionId, version]))
  }

  apply(update: ViewUpdate): void {
    switch (update.action) {
      case 'assign-uuid':
        this.#assignUuid(update.uuid)
        break
      case 'upgrade-format-version':
        requireViewFormatVersion(update.formatVersion)
        break
      case 'add-schema':
        this.#addSchema(update.schema)
        break
      case 'set-location':
        this.#setLocation(update.location)
        break
      case 'set-properties':
        for (const [key, value] of Object.entries(update.updates)) this.#properties.set(key, value)
        break
      case 'remove-properties':
        for (const key of update.removals) this.#properties.delete(key)
        break
      case 'add-view-version':
        this.#addVersion(update.version)
        break
      case 'set-current-view-version':
        this.#setCurrentVersion(update.versionId)
        break
    }
  }

  finish(nowMs: number): ViewMetadata {
    const base = this.#base
    const properties = this.#properties.toRecord()
    if (this.#properties.size > PROPERTIES_MAX) {
      throw invalidUpdate(`A view has at most ${PROPERTIES_MAX} properties`)
    }
    const isSame =
      properties === base.properties &&
      this.#location === base.location &&
      this.#currentVersionId === base.currentVersionId &&
      this.#schemas.size === base.schemas.length &&
      this.#addedVersionIds.size === 0
    if (isSame) return base

    const current = this.#getVersion(this.#currentVersionId)
    const previous = base.versions.find(({ versionId }) => versionId === base.currentVersionId)
    if (previous !== undefined) checkDialectsKept(previous, current, properties)
    const retained = expireVersions({
      versions: [...this.#versions.values()],
      log: this.#logWith(current, nowMs),
      currentVersionId: current.versionId,
      addedVersionIds: this.#addedVersionIds,
      properties,
    })
    const schemas = [...this.#schemas.values()]
    return {
      ...base,
      location: this.#location,
      currentVersionId: current.versionId,
      schemas,
      ...retained,
      properties,
    }
  }

  #assignUuid(uuid: string): void {
    if (uuid.toLowerCase() !== this.#base.viewUuid.toLowerCase()) {
      throw invalidUpdate('Cannot reassign uuid')
    }
  }

  #setLocation(given: string): void {
    const location = withoutSlashes(given)
    if (location === '') throw invalidUpdate('Invalid location: it is empty')
    this.#location = location
  }

  #addSchema(schema: Schema): void {
    checkSchema(schema)
    const key = schemaKey(schema)
    const { schemas } = this.#base
    this.#schemaIdsByKey ??= new Map(schemas.map((other) => [schemaKey(other), other.schemaId]))
    const known = this.#schemaIdsByKey.get(key)
    const schemaId = known ?? nextId(this.#schemas.keys(), 0)
    this.#lastAddedSchemaId = schemaId
    if (known !== undefined) return
    this.#schemas.set(schemaId, { ...schema, schemaId })
    this.#schemaIdsByKey.set(key, schemaId)
  }

  /** A version equal to an existing one, except for id and time, counts as that one. */
  #addVersion(given: ViewVersion): void {
    checkRepresentations(given)
    const schemaId = this.#schemaIdOf(given)
    const key = versionKey({ ...given, schemaId })
    const { versions } = this.#base
    this.#versionIdsByKey ??= new Map(versions.map((other) => [versionKey(other), other.versionId]))
    const known = this.#versionIdsByKey.get(key)
    const versionId = known ?? nextId(this.#versions.keys(), FIRST_VERSION_ID)
    this.#lastAddedVersionId = versionId
    if (known !== undefined) return
    this.#versions.set(versionId, { ...given, schemaId, versionId })
    this.#versionIdsByKey.set(key, versionId)
    this.#addedVersionIds.add(versionId)
  }

  #schemaIdOf({ schemaId: givenId }: ViewVersion): number {
    const schemaId = givenId === LAST_ADDED ? this.#lastAddedSchemaId : givenId
    if (schemaId === undefined) {
      throw invalidUpdate('Cannot set last added schema: no schema has been added')
    }
    if (!this.#schemas.has(schemaId)) {
      throw invalidUpdate(`Cannot add version with unknown schema: ${schemaId}`)
    }
    return schemaId
  }

  #setCurrentVersion(givenId: number): void {
    const versionId = givenId === LAST_ADDED ? this.#lastAddedVersionId : givenId
    if (versionId === undefined) {
      throw invalidUpdate('Cannot set last version id: no current version id has been set')
    }
    this.#currentVersionId = this.#getVersion(versionId).versionId
  }

  #getVersion(versionId: number): ViewVersion {
    const version = this.#versions.get(versionId)
    if (version !== undefined) return version
    throw invalidUpdate(`Cannot set current version to unknown version: ${versionId}`)
  }

  /** A new version became current at its own time, one that is current again became so now. */
  #logWith({ versionId, timestampMs }: ViewVersion, nowMs: number): readonly ViewLogEntry[] {
    const { versionLog, currentVersionId } = this.#base
    if (versionId === currentVersionId) return versionLog
    const isAdded = this.#addedVersionIds.has(versionId)
    return [...versionLog, { timestampMs: isAdded ? timestampMs : nowMs, versionId }]
  }
}

function requireViewFormatVersion(version: number): void {
  if (version === VIEW_FORMAT_VERSION) return
  throw invalidUpdate(
    version < VIEW_FORMAT_VERSION
      ? `Cannot downgrade v${VIEW_FORMAT_VERSION} view to v${version}`
      : `Unsupported format version: ${version}`,
  )
}

function checkRepresentations({ representations }: ViewVersion): void {
  if (representations.length > REPRESENTATIONS_MAX) {
    throw invalidUpdate(`Invalid view version: more than ${REPRESENTATIONS_MAX} representations`)
  }
  const dialects = new Set<string>()
  for (const { dialect } of representations) {
    const folded = dialect.toLowerCase()
    if (dialects.has(folded)) {
      throw invalidUpdate(
        `Invalid view version: Cannot add multiple queries for dialect ${shortened(folded)}`,
      )
    }
    dialects.add(folded)
  }
}

function versionKey(version: ViewVersion): string {
  const { schemaId, summary, representations, defaultCatalog, defaultNamespace } = version
  return JSON.stringify([
    schemaId,
    Object.entries(summary).sort(([left], [right]) => (left < right ? -1 : 1)),
    representations.map(({ type, sql, dialect }) => [type, sql, dialect]),
    defaultCatalog ?? null,
    defaultNamespace,
  ])
}

function nextId(ids: Iterable<number>, lowest: number): number {
  let next = lowest
  for (const id of ids) next = Math.max(next, id + 1)
  return next
}
