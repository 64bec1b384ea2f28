export interface ObjectInfo {
  readonly location: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /**
   * Another for other content under the same name: the generation, the ETag, or time of
   * modification, inode and size of a file. Equal content may have another one, as after a restore.
   */
  readonly version: string
}

/** The object as it was seen; another one of its name is `data-file-changed`. */
export interface Expected {
  readonly version?: string | undefined
}

export interface ObjectTail {
  /** The object's one name: another than was asked for where that leads through a link. */
  readonly location: string
  /** The last bytes, at most as many as requested. */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  readonly version: string
  /** As `findLocalPath` returns it. */
  readonly localPath?: string
}

export interface StreamLimits {
  readonly bytesMax: number
  /** How many there are, where that is known. */
  readonly sizeBytes?: number
}

export interface StreamOptions extends Expected {
  /** Chunks may lie in it, each valid until the next is pulled. */
  readonly buffer?: Uint8Array | undefined
  /**
   * That the bytes are all that the object has, so that a store which keeps a checksum of it can
   * hold them against it: `storage-unavailable` at the end if they arrived damaged.
   */
  readonly isWhole?: boolean | undefined
}

export interface LinkedObject {
  readonly location: string
  /** The object's one name; `undefined` if it leads nowhere. */
  readonly ownLocation: string | undefined
}

export interface SweepOptions {
  readonly beforeMs: number
  readonly signal: AbortSignal
}

export interface FolderSweepOptions extends SweepOptions {
  isFree(folder: string): Promise<boolean>
}

/**
 * Where files live. A location is a URI kept verbatim (`file:///a/b`); nothing in it is decoded. A
 * location outside the store's roots throws `location-not-allowed`, a malformed one
 * `location-invalid`, a missing object `file-not-found`, a full disk `storage-full`. Every adapter
 * passes test/objects/object-store.contract.ts.
 */
export interface ObjectStore {
  /**
   * Throws unless the location's text is that of a file that may be read, whether or not it is
   * there.
   */
  requireReadable(location: string): void
  /** Durable when it resolves; readers never see part of it; never replaces what is there. */
  putIfAbsent(location: string, bytes: Uint8Array): Promise<'written' | 'already-exists'>
  /**
   * As `putIfAbsent`, in constant memory. When the chunks throw, or exceed `bytesMax`, or what the
   * store takes without a `sizeBytes` told before (`body-too-large`), nothing remains.
   */
  putStreamIfAbsent(
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    limits: StreamLimits,
  ): Promise<{ readonly outcome: 'written' | 'already-exists'; readonly sizeBytes: number }>
  /** Reads the whole object. Throws `body-too-large` if it has more than `bytesMax` bytes. */
  read(location: string, limits: { readonly bytesMax: number }): Promise<Uint8Array>
  /**
   * Takes over a finished local file, which the caller must not use any more. As durable and
   * create-only as `putIfAbsent`; the local file may or may not be gone afterwards.
   */
  putFileIfAbsent(location: string, path: string): Promise<'written' | 'already-exists'>
  /**
   * Exactly these bytes, read on demand: a stalled reader costs one chunk. Throws `file-not-found`,
   * also midway if the object is shorter. Ending the iteration early frees everything. Of an
   * expected version no byte is another's, unless a file is overwritten in place while it is read:
   * that is told at its end.
   */
  readStream(
    location: string,
    offset: number,
    lengthBytes: number,
    options?: StreamOptions,
  ): AsyncIterable<Uint8Array>
  /**
   * An absolute path with the object's bytes, if the store has one, for tools that only read files.
   */
  findLocalPath(location: string): Promise<string | undefined>
  /** Up to `bytesMax` bytes from `offset`; fewer at the end, none past it. */
  readRange(location: string, offset: number, bytesMax: number): Promise<Uint8Array>
  /** Reads the last `bytesMax` bytes and the size in one round trip. */
  readTail(location: string, bytesMax: number): Promise<ObjectTail>
  find(location: string): Promise<ObjectInfo | undefined>
  /**
   * One of many locations that leads through a link, or is one, as another object may have; those
   * of nothing, and of what the store may not read, do not. A store without links has none.
   */
  findLinked(locations: readonly string[]): Promise<LinkedObject | undefined>
  /**
   * Every object below a folder, in no order; symbolic links and half-written files are not
   * objects.
   */
  list(folder: string): AsyncIterable<ObjectInfo>
  /**
   * Renames an object durably. Readers see it under at least one name at any time. A store without
   * renaming copies. Throws `file-not-found` if `from` is missing.
   */
  moveIfAbsent(from: string, to: string): Promise<'moved' | 'already-exists'>
  /**
   * Deletes an object; no error if there is none. Throws `location-not-allowed` if the location
   * leads through a link: the object may be another's by its own name. With an expected version,
   * another one stays and is told. Where the store cannot compare while it deletes (files, some
   * compatible stores), one that comes in the instant between both is not noticed.
   */
  delete(location: string, expected?: Expected): Promise<void>
  /**
   * Deletes what crashes left half-written below a folder, if nothing was written to it since the
   * instant; returns how many files.
   */
  deleteUnfinished(folder: string, options: SweepOptions): Promise<number>
  /**
   * Makes a folder and those above it, durably, for engines that write next to the service and make
   * only the last folder themselves. A store without folders does nothing.
   */
  makeFolder(folder: string): Promise<void>
  /**
   * Deletes folders below one, never itself, that are empty, unchanged since the instant, and free;
   * returns how many. A store without folders has none.
   */
  deleteEmptyFolders(folder: string, options: FolderSweepOptions): Promise<number>
}
