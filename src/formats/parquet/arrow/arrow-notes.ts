import type { ParquetFooter } from '../footer/footer-model.ts'
import { ARROW_SCHEMA_KEY, arrowColumns } from './arrow-schema.ts'

/** Spellings that PyIceberg takes for UTC. */
const UTC = new Set(['UTC', '+00:00', 'Etc/UTC', 'Z'])
const NOTES_MAX = 100
const WAY_OUT = 'PyIceberg refuses that. Uploaded instead, the file is stored without that schema'

/** Warnings for people about what only the schema of Arrow in the file says. */
export function arrowNotes({ keyValueMetadata }: ParquetFooter): readonly string[] {
  const schema = keyValueMetadata.get(ARROW_SCHEMA_KEY)
  if (schema === undefined) return []
  const notes = arrowColumns(schema).flatMap(({ path, zone, isDuration }) => {
    if (isDuration) return [`${path}: a duration in the file’s Arrow schema; ${WAY_OUT}`]
    if (zone === undefined || UTC.has(zone)) return []
    const shown = zone.slice(0, 100)
    return [`${path}: in the time zone ${shown} in the file’s Arrow schema; ${WAY_OUT}`]
  })
  return notes.slice(0, NOTES_MAX)
}
