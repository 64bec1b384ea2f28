import { CatalogError, type ErrorFacts } from '../errors.ts'

/** A change of metadata that no repetition makes right. */
export function invalidUpdate(detail: string, facts: ErrorFacts = {}): CatalogError {
  return new CatalogError('update-invalid', detail, { facts })
}

/** What was right for the table that the client saw, and may be right again when it looks anew. */
export function staleUpdate(detail: string, facts: ErrorFacts = {}): CatalogError {
  return new CatalogError('commit-conflict', detail, { facts })
}

/** Applies the updates in turn; a refusal says which one it was. */
export function applyInTurn<Update extends { readonly action: string }>(
  updates: readonly Update[],
  apply: (update: Update) => void,
): void {
  for (const [index, update] of updates.entries()) {
    try {
      apply(update)
    } catch (error) {
      throw error instanceof CatalogError ? atUpdate(error, update.action, index) : error
    }
  }
}

// At the end, for clients compare how Iceberg's messages begin.
function atUpdate(error: CatalogError, action: string, index: number): CatalogError {
  const detail = `${error.message} (updates[${index}], ${action})`
  return new CatalogError(error.code, detail, {
    facts: { ...error.facts, action, index },
    cause: error,
  })
}

/** Text of a client, short enough to be repeated to it. */
export function shortened(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`
}
