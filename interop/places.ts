import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const INTEROP = fileURLToPath(new URL('.', import.meta.url))
export const ROOT = join(INTEROP, '..')
/** Logs and reports of the last run; not in the repository. */
export const RESULTS = join(INTEROP, '.results')
