import type { Restriction } from '../../core/table/restriction.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { AllowedFiles } from '../file/allowed-files.ts'
import { withholding } from './data-file-faults.ts'

/** Refuses as `AllowedFiles`, and names no file to a caller from whom rows are withheld. */
export function allowedTo(
  restriction: Restriction,
  objects: Pick<ObjectStore, 'requireReadable'>,
): Pick<AllowedFiles, 'require'> {
  const allowed = new AllowedFiles(objects)
  return {
    require(path) {
      try {
        allowed.require(path)
      } catch (error) {
        throw withholding(error, restriction)
      }
    },
  }
}
