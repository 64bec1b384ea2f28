import { CatalogError, type ErrorFacts } from '../errors.ts'

/** An error for a metadata change that will never succeed. */
export function invalidUpdate(detail: string, facts: ErrorFacts = {}): CatalogError {
  return new CatalogError('update-invalid', detail, { facts })
}

/**
 * An error for a change that fitted the table as the client saw it, and may fit when it reads the
 * table again.
 */
export function staleUpdate(detail: string, facts: ErrorFacts = {}): CatalogError {
  return new CatalogError('commit-conflict', detail, { facts })
}

/** Applies the updates in turn; an error names the update that failed. */
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

// Appended, because clients compare the beginnings of Iceberg's messages.
function atUpdate(error: CatalogError, action: string, index: number): CatalogError {
  const detail = `${error.message} (updates[${index}], ${action})`
  return new CatalogError(error.code, detail, {
    facts: { ...error.facts, action, index },
    cause: error,
  })
}

/** Text from a client, cut short enough to be repeated in a message. */
export function shortened(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`
}
