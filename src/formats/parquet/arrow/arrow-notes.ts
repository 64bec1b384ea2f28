import type { ParquetFooter } from '../footer/footer-model.ts'
import { ARROW_SCHEMA_KEY, arrowColumns } from './arrow-schema.ts'

const WAY_OUT = 'PyIceberg refuses that. Uploaded instead, the file is stored without that schema'

/** One of ten thousand columns has about two megabytes; the notes are for people only. */
const SCHEMA_BYTES_MAX = 16 * 1024 * 1024

/** Warnings for people about what only the schema of Arrow in the file says. */
export function arrowNotes({ keyValueMetadata }: ParquetFooter): readonly string[] {
  const schema = keyValueMetadata.get(ARROW_SCHEMA_KEY)
  if (schema === undefined || schema.length > SCHEMA_BYTES_MAX) return []
  return arrowColumns(Buffer.from(schema).toString('latin1')).map(({ path, zone, isDuration }) => {
    const what = isDuration ? 'a duration' : `in the time zone ${zone}`
    return `${path}: ${what} in the file’s Arrow schema; ${WAY_OUT}`
  })
}
