import { CatalogError } from './errors.ts'

/**
 * Whether the answer to a commit was lost: then the catalog may name the files that were written
 * for it.
 */
export function isUnknownState(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'commit-state-unknown'
}

/**
 * What the catalog says after a failure. Where it cannot be asked, as a rule after it has lost the
 * answer to a commit, an unknown state stays one: the failure to ask would be told as a refusal,
 * which has changed nothing and whose files are deleted.
 */
export async function readAfter<T>(error: unknown, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (failure) {
    throw isUnknownState(error) ? error : failure
  }
}

/**
 * Runs what follows a commit that is done. A failure of that must not look like a refusal, which
 * changes nothing, so it leaves the outcome unknown to the client. `done` is the beginning of a
 * sentence.
 */
export async function afterCommit<T>(done: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const detail = `${done}, but what follows it failed: read it before you try again`
    throw new CatalogError('commit-state-unknown', detail, { cause })
  }
}
