import type { TableProperties } from '../table-properties.ts'

/** What comes in the response itself, and from how many files. */
export interface InlineMax {
  readonly rows: number
  readonly bytes: number
  readonly files: number
}

/** Results in responses are buffered: no setting may want more. */
export const INLINE_BOUNDS: InlineMax = { rows: 100_000, bytes: 64 * 1024 * 1024, files: 1_000 }

const PROPERTIES = {
  rows: 'moraine.inline.rows-max',
  bytes: 'moraine.inline.bytes-max',
  files: 'moraine.inline.files-max',
} as const satisfies Record<keyof InlineMax, string>
const MEMBERS = Object.keys(PROPERTIES) as (keyof InlineMax)[]

/** The service's, or less where a table says so: the least of each. */
export function inlineMaxOf(service: InlineMax, tables: readonly TableProperties[]): InlineMax {
  const least = (member: keyof InlineMax) =>
    Math.min(service[member], ...tables.map((each) => read(each, member) ?? Infinity))
  return { rows: least('rows'), bytes: least('bytes'), files: least('files') }
}

/** Throws what is wrong with a property. */
export function checkInlineMax(properties: TableProperties): void {
  for (const member of MEMBERS) {
    const name = PROPERTIES[member]
    if (!(name in properties) || read(properties, member) !== undefined) continue
    throw new Error(`${name} is a number from 1 to ${INLINE_BOUNDS[member]}`)
  }
}

/** `undefined` where it says nothing, or nothing that can be meant. */
function read(properties: TableProperties, member: keyof InlineMax): number | undefined {
  const text = properties[PROPERTIES[member]] ?? ''
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= INLINE_BOUNDS[member] ? value : undefined
}
