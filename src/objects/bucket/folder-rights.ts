import type { FolderRight } from '../object-vending.ts'
import { type BucketLocations, type BucketPlace, BucketRoots } from './bucket-location.ts'

/** A folder, and what the service itself may do there. */
export interface UsableFolder {
  readonly place: BucketPlace
  readonly right: FolderRight
}

/** What the service may do where: engines are given no more. */
export class FolderRights {
  readonly #writable: BucketRoots
  readonly #readable: BucketRoots

  constructor(
    locations: BucketLocations,
    {
      writableRoots,
      readableRoots,
    }: { readonly writableRoots: readonly string[]; readonly readableRoots: readonly string[] },
  ) {
    this.#writable = new BucketRoots('write', locations, writableRoots)
    this.#readable = new BucketRoots('read', locations, readableRoots)
  }

  /** `undefined` for a folder outside of all roots. */
  find(folder: string): UsableFolder | undefined {
    const writable = this.#writable.findFolder(folder)
    if (writable !== undefined) return { place: writable, right: 'write' }
    const readable = this.#readable.findFolder(folder)
    return readable && { place: readable, right: 'read' }
  }
}
