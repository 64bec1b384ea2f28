import { findPathFault } from '../location-text.ts'
import { type FileAccess, forbiddenLocation, invalidLocation } from '../store-errors.ts'

/** Both S3 and Google Cloud Storage have keys of at most so many bytes in UTF-8. */
const KEY_BYTES_MAX = 1_024
/** Longest name of a bucket: with dots, those of Google Cloud Storage have up to 222 characters. */
const BUCKET_NAME = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/
const LOCATION = /^([a-z0-9]+):\/\/([^/]*)(?:\/(.*))?$/s

/** An object's place: nothing in the key is decoded, and it begins with no slash. */
export interface BucketPlace {
  readonly bucket: string
  readonly key: string
}

/** What the keys of all objects below a folder begin with. */
export function prefixOf(folderKey: string): string {
  return folderKey === '' ? '' : `${folderKey}/`
}

/** The locations of one kind of bucket store, such as `gs://bucket/folder/name`. */
export class BucketLocations {
  /** The first is its own name, the others are aliases. */
  readonly #schemes: readonly string[]

  constructor(schemes: readonly [string, ...string[]]) {
    this.#schemes = schemes
  }

  /** Throws `location-invalid`. */
  placeOfObject(location: string): BucketPlace {
    const place = this.#parse(location)
    if (place.key === '') throw invalidLocation(location, 'it names a bucket, and no object in it')
    if (place.key.endsWith('/')) {
      throw invalidLocation(
        location,
        'it ends with a slash, like a folder: name the files in it, one by one',
      )
    }
    return place
  }

  /**
   * Does the same for a folder, which may end with a slash; the key has none at its end. A bucket
   * is the folder of the key ''.
   */
  placeOfFolder(location: string): BucketPlace {
    const { bucket, key } = this.#parse(location)
    return { bucket, key: key.endsWith('/') ? key.slice(0, -1) : key }
  }

  /** Does the same; `undefined` for what is no such location. */
  findFolder(location: string): BucketPlace | undefined {
    try {
      return this.placeOfFolder(location)
    } catch {
      return undefined
    }
  }

  #parse(location: string): BucketPlace {
    const [, scheme = '', bucket = '', key = ''] = LOCATION.exec(location) ?? []
    if (!this.#schemes.includes(scheme)) {
      const own = this.#schemes[0] ?? ''
      throw invalidLocation(location, `such a location is ${own}://bucket/folder/name`)
    }
    if (!BUCKET_NAME.test(bucket)) {
      throw invalidLocation(location, 'no bucket can have that name')
    }
    const fault = findKeyFault(key)
    if (fault !== undefined) throw invalidLocation(location, fault)
    return { bucket, key }
  }
}

/** Whether a key found in a bucket may be part of a location. */
export function isUsableKey(key: string): boolean {
  return key !== '' && !key.endsWith('/') && findKeyFault(key) === undefined
}

function findKeyFault(key: string): string | undefined {
  return findPathFault(`/${key}`, KEY_BYTES_MAX + 1)
}

/** The folders below which one kind of access is allowed. */
export class BucketRoots {
  readonly #access: FileAccess
  readonly #locations: BucketLocations
  readonly #roots: readonly BucketPlace[]

  constructor(access: FileAccess, locations: BucketLocations, roots: readonly string[]) {
    this.#access = access
    this.#locations = locations
    this.#roots = roots.map((root) => locations.placeOfFolder(root))
  }

  /** Throws `location-invalid`, or `location-not-allowed` by name, before the store is asked. */
  placeOfObject(location: string): BucketPlace {
    return this.#inside(this.#locations.placeOfObject(location), location)
  }

  /** Does the same for a folder, also for a root itself. */
  placeOfFolder(location: string): BucketPlace {
    return this.#inside(this.#locations.placeOfFolder(location), location)
  }

  /** `undefined` for a folder that is elsewhere. */
  findFolder(location: string): BucketPlace | undefined {
    const place = this.#locations.findFolder(location)
    if (place === undefined) return undefined
    return this.#roots.some((root) => isInside(root, place)) ? place : undefined
  }

  #inside(place: BucketPlace, location: string): BucketPlace {
    if (this.#roots.some((root) => isInside(root, place))) return place
    throw forbiddenLocation(location, this.#access)
  }
}

function isInside(root: BucketPlace, { bucket, key }: BucketPlace): boolean {
  if (root.bucket !== bucket) return false
  return root.key === '' || key === root.key || key.startsWith(`${root.key}/`)
}
