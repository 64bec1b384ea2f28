import type { Visibility } from '../core/access/visibility.ts'
import type { MutationOptions } from './replay-store.ts'

/**
 * Namespaces as things of their own: with properties, and there without a table. Names compare
 * without case and keep the spelling that came first. The root, which has no levels, is no
 * namespace.
 */
export interface NamespaceStore {
  /** Makes missing parents, too. */
  create(
    namespace: NamespaceRecord,
    options?: MutationOptions,
  ): Promise<'created' | 'already-exists'>
  find(levels: readonly string[]): Promise<NamespaceRecord | undefined>
  /** Directly below `parent` (all of the first level when it is empty), by name, after `after`. */
  listChildren(query: ListChildNamespacesQuery): Promise<readonly (readonly string[])[]>
  /** Sets `updates`, then removes `removals`; returns the properties before and after. */
  updateProperties(
    change: NamespacePropertiesChange,
    options?: MutationOptions,
  ): Promise<NamespacePropertiesChanged | 'not-found'>
  /** `not-empty` while it holds a table, a view or another namespace. */
  drop(
    levels: readonly string[],
    options?: MutationOptions,
  ): Promise<'dropped' | 'not-found' | 'not-empty'>
}

export type NamespaceProperties = Readonly<Record<string, string>>

export interface NamespaceRecord {
  readonly levels: readonly string[]
  readonly properties: NamespaceProperties
}

export interface ListChildNamespacesQuery {
  readonly parent: readonly string[]
  /** All levels of the last one seen. */
  readonly after?: readonly string[]
  readonly limit: number
  /** Only what one of these may see, or the path to it. */
  readonly visibleTo?: Visibility | undefined
}

export interface NamespacePropertiesChange {
  readonly levels: readonly string[]
  readonly updates: NamespaceProperties
  readonly removals: readonly string[]
}

export interface NamespacePropertiesChanged {
  readonly before: NamespaceProperties
  readonly after: NamespaceProperties
}
