import type { Schema } from '../value/type.ts'

/** Iceberg view specification, "View Metadata". */
export interface ViewMetadata {
  readonly viewUuid: string
  readonly formatVersion: 1
  readonly location: string
  readonly currentVersionId: number
  readonly schemas: readonly Schema[]
  /** By id, lowest first. */
  readonly versions: readonly ViewVersion[]
  /** Which version became current when, oldest first. */
  readonly versionLog: readonly ViewLogEntry[]
  readonly properties: Readonly<Record<string, string>>
}

export interface ViewVersion {
  readonly versionId: number
  readonly timestampMs: number
  readonly schemaId: number
  readonly summary: Readonly<Record<string, string>>
  readonly representations: readonly ViewRepresentation[]
  /** Catalog of tables that the query names without one. */
  readonly defaultCatalog?: string
  readonly defaultNamespace: readonly string[]
}

/** One query in one dialect; a version has at most one in each, compared without case. */
export interface ViewRepresentation {
  readonly type: 'sql'
  readonly sql: string
  readonly dialect: string
}

export interface ViewLogEntry {
  readonly timestampMs: number
  readonly versionId: number
}

/** One change of a view's metadata (Iceberg REST specification, `ViewUpdate`). */
export type ViewUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly formatVersion: number }
  | { readonly action: 'add-schema'; readonly schema: Schema }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  /** Schema id -1 stands for the schema added last in the same commit. */
  | { readonly action: 'add-view-version'; readonly version: ViewVersion }
  | { readonly action: 'set-current-view-version'; readonly versionId: number }

export interface ViewRequirement {
  readonly type: 'assert-view-uuid'
  readonly uuid: string
}
