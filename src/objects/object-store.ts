export interface ObjectInfo {
  readonly location: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
}

export interface ObjectTail {
  /** The last bytes, at most as many as asked for. */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
}

/**
 * Where files live. A location is a URI kept to the letter (`file:///a/b`); nothing in it is decoded.
 * A location outside the store's roots throws `location-not-allowed`, a malformed one `location-invalid`,
 * a missing object `file-not-found`, a full disk `storage-full`.
 * Every adapter passes test/objects/object-store.contract.ts.
 */
export interface ObjectStore {
  /** Durable when it resolves; readers never see part of it; never replaces what is there. */
  putIfAbsent(location: string, bytes: Uint8Array): Promise<'written' | 'already-exists'>
  /**
   * As `putIfAbsent`, in constant memory. When the chunks throw, or exceed `bytesMax` (`body-too-large`),
   * nothing remains.
   */
  putStreamIfAbsent(
    location: string,
    chunks: AsyncIterable<Uint8Array>,
    limits: { readonly bytesMax: number },
  ): Promise<{ readonly outcome: 'written' | 'already-exists'; readonly sizeBytes: number }>
  /** The whole object; `body-too-large` when it holds more than `bytesMax`. */
  read(location: string, limits: { readonly bytesMax: number }): Promise<Uint8Array>
  /**
   * Takes a finished local file over, which the caller names no more. As durable and create-only as `putIfAbsent`;
   * the local file may or may not be gone afterwards.
   */
  putFileIfAbsent(location: string, path: string): Promise<'written' | 'already-exists'>
  /**
   * Exactly these bytes, read as they are pulled: a reader that stops pulling costs one chunk. Throws `file-not-found`,
   * also in the middle when the object is shorter. Ending the iteration early frees everything. With a `buffer` chunks
   * may lie in it: then each is valid until the next is pulled.
   */
  readStream(
    location: string,
    offset: number,
    lengthBytes: number,
    buffer?: Uint8Array,
  ): AsyncIterable<Uint8Array>
  /** An absolute path that holds the object's bytes, where the store has one: for tools that read files only. */
  findLocalPath(location: string): Promise<string | undefined>
  /** Up to `bytesMax` bytes from `offset`; fewer at the end, none past it. */
  readRange(location: string, offset: number, bytesMax: number): Promise<Uint8Array>
  /** The last `bytesMax` bytes and the size, in one round trip. */
  readTail(location: string, bytesMax: number): Promise<ObjectTail>
  find(location: string): Promise<ObjectInfo | undefined>
  /** Every object below a folder, in no order; symbolic links and half-written files are not objects. */
  list(folder: string): AsyncIterable<ObjectInfo>
  /**
   * Gives an object another name, durably. Readers see it under one name at least at any time. Where the store knows
   * no renaming it copies. A missing `from` throws `file-not-found`.
   */
  moveIfAbsent(from: string, to: string): Promise<'moved' | 'already-exists'>
  /** No error when nothing is there. */
  delete(location: string): Promise<void>
}
