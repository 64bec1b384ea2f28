/** What a capability makes of tables and names files of theirs: dumps, exports. */
export interface FileNamer {
  /** What names the files, in a word: `dump`. */
  readonly kind: string
  /** Locations of files outside its own folder that it names for a table. */
  namedFor(tableUuid: string): AsyncIterable<string>
  /** Deletes what it made of a dropped table. */
  forget(tableUuid: string): Promise<void>
}

/** All of them; none below the capabilities. */
export type FileNamers = () => readonly FileNamer[]
