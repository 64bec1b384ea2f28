/** A file of the local disk that can be read, again and again, when its name is gone. */
export interface OpenFile {
  readonly sizeBytes: number
  chunks(): AsyncIterable<Uint8Array>
  /** Frees what a file without a name takes. Reading fails from then on. */
  close(): Promise<void>
}

/** A file without a name, which grows until it is read. */
export interface ScratchFile extends OpenFile {
  append(chunk: Uint8Array): Promise<void>
}
