/** A file of the local disk that can be read, again and again, when its name is gone. */
export interface OpenFile {
  readonly sizeBytes: number
  chunks(): AsyncIterable<Uint8Array>
  /** Frees what a file without a name takes. Reading fails from then on. */
  close(): Promise<void>
}
