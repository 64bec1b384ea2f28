import { createHash } from 'node:crypto'
import type { Restriction } from '../../../core/table/restriction.ts'
import type { Snapshot } from '../../../core/table/snapshot.ts'
import type { TableState } from '../../../core/table/table.ts'
import type { Schema } from '../../../core/value/type.ts'
import { stringifyExactJson } from '../../../formats/json/exact-json.ts'
import { columnsDigest } from '../../../lake/file/columns-digest.ts'

/** 48 bits, which only have to tell the few editions of one snapshot and schema apart. */
const EDITION_LENGTH = 12
export const EDITION = /^[0-9a-f]{12}$/

/** Whatever decides the bytes of a dump beside its format and the table's UUID. */
export interface EditionParts {
  readonly state: TableState
  readonly snapshot: Pick<Snapshot, 'manifestList'>
  readonly schema: Schema
  readonly restriction: Restriction
  readonly dialectVersion: number
  readonly bom?: boolean
}

/**
 * Stands for the content of a dump beside the ids of its snapshot and schema, which do not decide
 * it alone: ids that were removed are given again, tables get another name mapping, which changes
 * how older files are read, and a newer service writes the same rows as other bytes.
 */
export function editionOf(parts: EditionParts): string {
  const { state, snapshot, schema, restriction, dialectVersion, bom = false } = parts
  const columns = columnsDigest(state.definition, schema)
  const text = stringifyExactJson([
    dialectVersion,
    columns,
    snapshot.manifestList,
    ...(bom ? ['bom'] : []),
    ...(restriction === 'unrestricted' ? [] : [{ restriction: restriction.text }]),
  ])
  return createHash('sha256').update(text).digest('hex').slice(0, EDITION_LENGTH)
}

/** Tells those apart who may see another part of a table; `undefined`: all of it. */
export function fingerprintOf(restriction: Restriction): string | undefined {
  if (restriction === 'unrestricted') return undefined
  return createHash('sha256').update(restriction.text).digest('hex').slice(0, EDITION_LENGTH)
}
