import type { Visibility } from '../core/access/visibility.ts'
import type { MutationOptions } from './replay-store.ts'

/**
 * Views share their names with tables: of one name, in one namespace, there is one or the other.
 */
export interface ViewStore {
  /**
   * Also makes the namespace and its parents. `view-exists`, too, when the UUID is taken. Throws
   * `location-taken` for a folder that overlaps with that of a table or another view.
   */
  create(
    view: NewView,
    options?: MutationOptions,
  ): Promise<'created' | 'view-exists' | 'table-exists'>
  find(key: ViewKey): Promise<ViewState | undefined>
  /** By name, without case. */
  list(query: ListViewsQuery): Promise<readonly ViewSummary[]>
  /**
   * Compare-and-swap of the version; also renames when `state` has another name.
   * `version-mismatch`, too, when the view is gone. Throws `location-taken` as `create` does.
   */
  replace(
    change: ViewChange,
    options?: MutationOptions,
  ): Promise<'replaced' | 'version-mismatch' | 'view-exists' | 'table-exists'>
  /** Its folders are others' to take from then on. */
  drop(viewUuid: string, options?: MutationOptions): Promise<'dropped' | 'not-found'>
}

export type ViewKey =
  | { readonly viewUuid: string }
  | { readonly namespace: readonly string[]; readonly name: string }

export interface ListViewsQuery {
  /** Only views directly in this namespace. */
  readonly namespace: readonly string[]
  /** Only views after this name in the order. */
  readonly after?: string
  readonly limit: number
  /** Only views that one of these may see. */
  readonly visibleTo?: Visibility | undefined
}

export interface ViewSummary {
  readonly namespace: readonly string[]
  readonly name: string
}

export interface NewView extends ViewState {
  /** Folders of its files, which no table or other view may be in or around. */
  readonly folders?: readonly string[]
  /** Whether they may overlap all the same, as older catalogs let them. */
  readonly mayShareFolders?: boolean
}

export interface ViewChange {
  readonly expectedVersion: number
  /**
   * The whole new state; its version is one more than expected. The time of creation is not
   * written.
   */
  readonly state: ViewState
  /** Further folders that it takes. */
  readonly folders?: readonly string[]
}

export interface ViewState {
  readonly viewUuid: string
  readonly namespace: readonly string[]
  readonly name: string
  readonly version: number
  /** Iceberg view metadata, as JSON text. */
  readonly metadata: string
  readonly metadataLocation: string
  readonly createdAtMs: number
  readonly lastUpdatedMs: number
}
