/** A local file that is open: it can be read, again and again, when its name is gone. */
export interface OpenFile {
  readonly sizeBytes: number
  chunks(): AsyncIterable<Uint8Array>
  /** Reading fails from then on. */
  close(): Promise<void>
}
