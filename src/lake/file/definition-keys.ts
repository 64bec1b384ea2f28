import { createHash } from 'node:crypto'
import { currentSchema, defaultSpec, type TableDefinition } from '../../core/table/table.ts'
import type { ReadAs } from '../../core/table/transaction.ts'
import { readAliases } from '../../core/table-properties.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { partitionFieldsToJson } from '../../formats/metadata/spec-json.ts'
import { columnsJson } from './columns-digest.ts'

/** 64 bits, which only have to tell the few definitions of one table apart. */
const KEY_LENGTH = 16

/** Every file that is staged or committed asks for them. */
const known = new WeakMap<TableDefinition, ReadAs>()

/**
 * What of a definition decides how a file is read. Ids alone do not: those of schemas and specs
 * that were removed are given again, and a table may get other names of columns.
 */
export function readAsOf(definition: TableDefinition): ReadAs {
  const before = known.get(definition)
  if (before !== undefined) return before
  const columns = columnsJson(definition, currentSchema(definition))
  const readAs = {
    columns: keyOf({ ...columns, aliases: [...readAliases(definition.properties)] }),
    spec: keyOf(partitionFieldsToJson(defaultSpec(definition))),
  }
  known.set(definition, readAs)
  return readAs
}

function keyOf(part: unknown): string {
  return createHash('sha256').update(stringifyExactJson(part)).digest('hex').slice(0, KEY_LENGTH)
}
