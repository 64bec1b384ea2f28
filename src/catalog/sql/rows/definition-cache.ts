import type { TableDefinition } from '../../../core/table/table.ts'
import type { SqlEngine } from '../engine/sql-engine.ts'
import { decodeExact, encodeExact } from './tagged-json.ts'

/** In characters, over all tables; what is decoded takes a few times as much. */
const CACHED_TEXT_MAX = 8_388_608

const NEVER = -1

/** What the work on tables needs of its engine. */
export interface TableContext {
  readonly engine: SqlEngine
  readonly definitions: DefinitionCache
}

interface Written {
  readonly text: string
  /** Newest version of the table that was seen to have exactly this definition. */
  version: number
}

/**
 * Most commits leave the definition as it was, and the definition of a wide table is its longest
 * part. A definition that was read is the same object as long as its text is the same, so that
 * neither decoding, encoding nor writing it again is needed.
 */
export class DefinitionCache {
  readonly #byTable = new Map<string, TableDefinition>()
  #cachedTextLength = 0
  readonly #written = new WeakMap<TableDefinition, Written>()

  decode(tableUuid: string, text: string, version: number): TableDefinition {
    const cached = this.#byTable.get(tableUuid)
    const written = cached === undefined ? undefined : this.#written.get(cached)
    if (cached !== undefined && written?.text === text) {
      written.version = Math.max(written.version, version)
      return cached
    }
    const definition = decodeExact<TableDefinition>(text)
    this.#remember(tableUuid, definition, { text, version })
    return definition
  }

  encode(definition: TableDefinition): string {
    return this.#writtenOf(definition).text
  }

  /** Whether the table at this version certainly has this definition. */
  isWritten(definition: TableDefinition, version: number): boolean {
    return this.#written.get(definition)?.version === version
  }

  /** To be told after a commit. */
  markWritten(definition: TableDefinition, version: number): void {
    this.#writtenOf(definition).version = version
  }

  #writtenOf(definition: TableDefinition): Written {
    const known = this.#written.get(definition)
    if (known !== undefined) return known
    const written = { text: encodeExact(definition), version: NEVER }
    this.#written.set(definition, written)
    return written
  }

  #remember(tableUuid: string, definition: TableDefinition, written: Written): void {
    // What the table had before counts on: the sum only has to be an upper bound.
    this.#cachedTextLength += written.text.length
    if (this.#cachedTextLength > CACHED_TEXT_MAX) {
      this.#byTable.clear()
      this.#cachedTextLength = written.text.length
    }
    this.#byTable.set(tableUuid, definition)
    this.#written.set(definition, written)
  }
}
