import { CatalogError } from '../src/core/errors.ts'

/** Returns the refusal that a call throws. Passes on any other error, and fails without one. */
export function refusalOf(call: () => unknown): CatalogError {
  try {
    call()
  } catch (error) {
    return requireRefusal(error)
  }
  throw new Error('nothing was refused')
}

/** As `refusalOf`, for what fails later. */
export async function refusal(attempt: Promise<unknown>): Promise<CatalogError> {
  try {
    await attempt
  } catch (error) {
    return requireRefusal(error)
  }
  throw new Error('nothing was refused')
}

function requireRefusal(error: unknown): CatalogError {
  if (error instanceof CatalogError) return error
  throw error
}
