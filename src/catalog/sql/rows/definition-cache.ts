import { nameKey } from '../../../core/table/name-key.ts'
import type { TableDefinition } from '../../../core/table/table.ts'
import type { NamespacedName } from '../../../core/table/table-name.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { TableKey } from '../../table-store.ts'
import type { SqlEngine } from '../engine/sql-engine.ts'
import { namespaceKey } from './sql-keys.ts'
import { decodeExact, encodeExact } from './tagged-json.ts'

/** In characters, over all tables; what is decoded takes a few times as much. */
const CACHED_TEXT_MAX = 16 * 1024 * 1024

const NEVER = -1
const LONG_TEXT_MIN = 64 * 1024
/** As many long ones are not cached. */
const LONG_NAMES_MAX = 1024

/** What the work on tables needs of its engine. */
export interface TableContext {
  readonly engine: SqlEngine
  readonly definitions: DefinitionCache
}

export interface KnownDefinition {
  readonly definition: TableDefinition
  /** The version of the table; none has it again, not even in a later life of the UUID. */
  readonly version: number
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
  readonly #longByName = new Map<string, string>()
  readonly #schemaTexts = new WeakMap<Schema, string>()

  /** What is known of a table, so that its definition need not be read again. */
  find(key: TableKey): KnownDefinition | undefined {
    const tableUuid = 'tableUuid' in key ? key.tableUuid : this.#longByName.get(keyOfName(key))
    const definition = tableUuid === undefined ? undefined : this.#byTable.get(tableUuid)
    const written = definition === undefined ? undefined : this.#written.get(definition)
    if (definition === undefined || written === undefined) return undefined
    return { definition, version: written.version }
  }

  /**
   * To be told what a long definition was found by. Comparing a short one costs less than knowing
   * its name.
   */
  rememberName(name: NamespacedName, { tableUuid }: TableDefinition): void {
    const definition = this.#byTable.get(tableUuid)
    const length = definition === undefined ? 0 : (this.#written.get(definition)?.text.length ?? 0)
    if (length < LONG_TEXT_MIN) return
    if (this.#longByName.size >= LONG_NAMES_MAX) this.#longByName.clear()
    this.#longByName.set(keyOfName(name), tableUuid)
  }

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

  /** To be told after a commit. Who reads the table next need not decode what was just written. */
  markWritten(definition: TableDefinition, version: number): void {
    const written = this.#writtenOf(definition)
    written.version = version
    const { tableUuid } = definition
    if (this.#byTable.get(tableUuid) !== definition) this.#remember(tableUuid, definition, written)
  }

  #writtenOf(definition: TableDefinition): Written {
    const known = this.#written.get(definition)
    if (known !== undefined) return known
    const written = { text: this.#encode(definition), version: NEVER }
    this.#written.set(definition, written)
    return written
  }

  /** A change leaves most schemas as they were: each is encoded once. */
  #encode({ schemas, ...rest }: TableDefinition): string {
    const texts = schemas.map((schema) => {
      const known = this.#schemaTexts.get(schema)
      if (known !== undefined) return known
      const text = encodeExact(schema)
      this.#schemaTexts.set(schema, text)
      return text
    })
    return `${encodeExact(rest).slice(0, -1)},"schemas":[${texts.join(',')}]}`
  }

  /** The oldest go first, for as long as there are too many. */
  #remember(tableUuid: string, definition: TableDefinition, written: Written): void {
    this.#forget(tableUuid)
    this.#cachedTextLength += written.text.length
    for (const oldest of this.#byTable.keys()) {
      if (this.#cachedTextLength <= CACHED_TEXT_MAX) break
      this.#forget(oldest)
    }
    this.#byTable.set(tableUuid, definition)
    this.#written.set(definition, written)
  }

  #forget(tableUuid: string): void {
    const known = this.#byTable.get(tableUuid)
    if (known === undefined) return
    this.#byTable.delete(tableUuid)
    this.#cachedTextLength -= this.#written.get(known)?.text.length ?? 0
  }
}

function keyOfName({ namespace, name }: NamespacedName): string {
  return `${namespaceKey(namespace)}\u0000${nameKey(name)}`
}
