import type { Stores } from '../../catalog/catalog.ts'
import type { NamespaceRecord } from '../../catalog/namespace-store.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { notesFolder, readNamespaceNote } from '../../lake/table/namespace-note.ts'

export interface RebuiltNamespace {
  /** Dotted; `undefined` if its note does not say. */
  readonly namespace: string | undefined
  /** Its note. */
  readonly location: string
  readonly outcome: 'registered' | 'already-there' | 'unreadable'
  readonly detail?: string
}

/**
 * Makes every namespace again that a note tells of, with its properties; to be called before the
 * tables, which make theirs without. Those already in the catalog stay unchanged.
 */
export async function* rebuildNamespaces(
  deps: Stores<'namespaces'> & Pick<LakeServices, 'objects' | 'warehouse'>,
): AsyncIterable<RebuiltNamespace> {
  const found: (NamespaceRecord & { readonly location: string })[] = []
  for await (const { location } of deps.objects.list(notesFolder(deps))) {
    try {
      found.push({ location, ...(await readNamespaceNote(deps, location)) })
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      yield { namespace: undefined, location, outcome: 'unreadable', detail }
    }
  }
  // A parent comes with its properties, not as the parent of another.
  found.sort((left, right) => left.levels.length - right.levels.length)
  for (const { location, levels, properties } of found) {
    const outcome = await deps.catalog.namespaces.create({ levels, properties })
    yield {
      namespace: levels.join('.'),
      location,
      outcome: outcome === 'created' ? 'registered' : 'already-there',
    }
  }
}
