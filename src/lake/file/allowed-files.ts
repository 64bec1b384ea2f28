import { locationKey } from '../../core/file/location-key.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

const DOTS = new Set(['', '.', '..'])
const ABSOLUTE = /^(?:\/|[a-z][a-z0-9+.-]*:)/i

/**
 * Refuses files outside the folders that may be read, whose names a manifest of another writer has.
 * Throws `location-not-allowed` or `location-invalid`. Looks at the name of each folder once, and
 * at no file: whether one leads through a link, `requireOwnNames` says. A name without a folder
 * leads nowhere, and is as good as that of a missing file.
 */
export class AllowedFiles {
  readonly #objects: Pick<ObjectStore, 'requireReadable'>
  readonly #folders = new Set<string>()

  constructor(objects: Pick<ObjectStore, 'requireReadable'>) {
    this.#objects = objects
  }

  require(path: string): void {
    const key = locationKey(path)
    if (!ABSOLUTE.test(key)) return
    const end = key.lastIndexOf('/')
    const folder = key.slice(0, end)
    const name = key.slice(end + 1)
    // An encoded separator may lead out of the folder.
    if (this.#folders.has(folder) && !DOTS.has(name) && !name.includes('%')) return
    this.#objects.requireReadable(key)
    this.#folders.add(folder)
  }
}
