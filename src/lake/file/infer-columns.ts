import type { RequirePaths } from '../../core/access/require-paths.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { guessTypeOfPath, pathValues } from '../../core/partition/path-values.ts'
import { allFields, foldName, highestFieldId } from '../../core/schema/schema-lookup.ts'
import {
  requireColumnName,
  requireFewColumns,
  requireValidFields,
} from '../../core/schema/schema-rules.ts'
import type { Field } from '../../core/value/type.ts'
import { inferSchemaFields } from '../../formats/parquet/schema/parquet-schema.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { dataFileLocation } from './data-file-location.ts'
import { readFooterOf } from './read-footer.ts'

/** Further notes on the columns are left out. */
const NOTES_MAX = 100

export interface InferredColumns {
  readonly fields: readonly Field[]
  /** Columns that only the folders of the file tell: the table must be partitioned by them. */
  readonly pathColumns: readonly string[]
  /** What is to be known about the columns of the file. */
  readonly notes: readonly string[]
}

/**
 * The columns of a file, then those that only its folders `name=value` tell, unless those are of
 * the warehouse, where files have all of their columns. A column of a folder is of the type that
 * its value looks like: a date, a timestamp, an integer, else a text.
 */
export async function inferColumns(
  { objects, warehouse }: { readonly objects: ObjectStore; readonly warehouse: string },
  file: string,
  {
    readsPath = true,
    requirePaths,
  }: {
    readonly readsPath?: boolean | undefined
    /** Asked before the file is looked at. */
    readonly requirePaths: RequirePaths
  },
): Promise<InferredColumns> {
  const location = dataFileLocation(file)
  await requirePaths([location])
  const { footer } = await readFooterOf(objects, location)
  requireFewColumns(footer.leaves.length)
  const inFile = inferSchemaFields(footer)
  const isOurs = locationKey(location).startsWith(`${locationKey(warehouse)}/`)
  const fromPath = readsPath && !isOurs ? fieldsOfPath(location, inFile) : []
  const fields = [...inFile, ...fromPath]
  for (const { name } of allFields({ fields })) requireColumnName(name)
  requireValidFields(fields)
  const notes = inFile.flatMap((field) => field.notes ?? []).slice(0, NOTES_MAX)
  return { fields, notes, pathColumns: fromPath.map(({ name }) => name) }
}

function fieldsOfPath(location: string, inFile: readonly Field[]): readonly Field[] {
  const known = new Set(inFile.map(({ name }) => foldName(name)))
  const first = highestFieldId({ fields: inFile }) + 1
  const found: Field[] = []
  for (const { name, text } of pathValues(location)) {
    if (known.has(foldName(name))) continue
    known.add(foldName(name))
    found.push({ id: first + found.length, name, required: false, type: guessTypeOfPath(text) })
  }
  return found
}
