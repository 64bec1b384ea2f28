import { unlink } from 'node:fs/promises'
import { errorCodeOf } from './local-error.ts'

/** No error when nothing is there. Costs a third of `rm`, which looks at a file twice before. */
export async function removeLocalFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errorCodeOf(error) !== 'ENOENT') throw error
  }
}
