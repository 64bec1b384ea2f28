import { requestInvalid } from '../problem.ts'

/**
 * Refuses NUL and unpaired surrogates, which no database column and no file can hold. Looks at one
 * string after the other, so that the caller may let others have turns.
 */
export function* storableSteps(value: unknown, path = 'body'): Generator<undefined> {
  if (typeof value === 'string') yield requireStorable(value, path)
  if (typeof value !== 'object' || value === null) return
  for (const key in value) {
    yield requireStorable(key, path)
    yield* storableSteps((value as Record<string, unknown>)[key], `${path}.${key}`)
  }
}

function requireStorable(text: string, path: string): undefined {
  // Many times as fast as one pattern for both.
  if (!text.includes('\0') && text.isWellFormed()) return
  const message = 'contains a NUL character or an unpaired surrogate'
  throw requestInvalid([{ path, message }])
}
