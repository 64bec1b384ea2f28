import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import type { Schema } from '../../../core/value/type.ts'
import { finishFile } from '../../../formats/parquet/finish/finish-file.ts'
import { areNamesThroughout } from './duckdb-names.ts'

const FINISHED_NAME = 'finished'

export function hasFixed(schema: Pick<Schema, 'fields'>): boolean {
  return allFields(schema).some(({ type }) => type.kind === 'fixed')
}

/** Columns of types that DuckDB does not write. */
function hasOtherTypes(schema: Pick<Schema, 'fields'>): boolean {
  return allFields(schema).some(({ type }) => type.kind === 'fixed' || type.kind === 'unknown')
}

/**
 * Gives a Parquet file from DuckDB what DuckDB cannot: `fixed(n)`, `unknown`, and names of any
 * kind.
 */
export function finishParquet(path: string, schema: Pick<Schema, 'fields'>): void {
  if (!hasOtherTypes(schema) && areNamesThroughout(schema.fields)) return
  const source = openSync(path, 'r')
  try {
    const target = openSync(FINISHED_NAME, 'wx')
    try {
      finishFile(
        {
          sizeBytes: fstatSync(source).size,
          read: (offset, lengthBytes) => readAll(source, offset, lengthBytes),
          write: (bytes) => writeAll(target, bytes),
        },
        schema,
      )
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
  renameSync(FINISHED_NAME, path)
}

function readAll(file: number, offset: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes)
  for (let at = 0; at < lengthBytes; ) {
    const count = readSync(file, bytes, at, lengthBytes - at, offset + at)
    if (count === 0) throw new Error('a file is shorter than its footer says')
    at += count
  }
  return bytes
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
