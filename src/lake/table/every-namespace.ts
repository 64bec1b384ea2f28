import type { Stores } from '../../catalog/catalog.ts'
import { type NoteDependencies, noteNamespace } from './namespace-note.ts'

const PAGE = 1_000

/** All namespaces, parents before children; those made meanwhile may be missed. */
async function* everyNamespace(
  { catalog }: Stores<'namespaces'>,
  parent: readonly string[] = [],
): AsyncGenerator<readonly string[]> {
  for (let after: readonly string[] | undefined; ; ) {
    const page: readonly (readonly string[])[] = await catalog.namespaces.listChildren({
      parent,
      limit: PAGE,
      ...(after !== undefined && { after }),
    })
    for (const levels of page) {
      yield levels
      yield* everyNamespace({ catalog }, levels)
    }
    if (page.length < PAGE) return
    after = page.at(-1)
  }
}

/**
 * Notes every namespace whose note is missing or old: those from before there were notes, and those
 * of a process that ended between a change and its note. Takes no note away: this catalog may be
 * new, and the note all that is left of another.
 */
export async function noteEveryNamespace(
  deps: NoteDependencies,
  signal: AbortSignal,
): Promise<void> {
  for await (const namespace of everyNamespace(deps)) {
    signal.throwIfAborted()
    await noteNamespace(deps, namespace)
  }
}
