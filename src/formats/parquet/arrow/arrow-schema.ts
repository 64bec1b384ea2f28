/** Key of a footer's metadata under which Arrow's writers keep the schema that they wrote. */
export const ARROW_SCHEMA_KEY = 'ARROW:schema'

/** A column of which Arrow's schema says more than Parquet does. */
export interface ArrowColumn {
  /** Dotted path. */
  readonly path: string
  /** Time zone of a timestamp, as it is written, that is not UTC. */
  readonly zone?: string
  readonly isDuration: boolean
}

/** Spellings that PyIceberg takes for UTC. */
const UTC = new Set(['UTC', '+00:00', 'Etc/UTC', 'Z'])

/** Encapsulated messages begin with this mark and their length (Arrow columnar format, "IPC"). */
const MARK = 0xffffffff
const PREFIX_BYTES = 8
/** Deeper or more are not looked at, nor longer texts read: they are told to people only. */
const FIELDS_MAX = 10_000
const COLUMNS_MAX = 100
const TEXT_BYTES_MAX = 100
const DEPTH_MAX = 50
/** Indexes of fields in the tables of Arrow's `Message.fbs` and `Schema.fbs`. */
const MESSAGE_HEADER = 2
const SCHEMA_FIELDS = 1
const FIELD = { name: 0, typeKind: 2, type: 3, children: 5 }
const TIMESTAMP_ZONE = 1
/** Values of the union Type. */
const TIMESTAMP = 10
const DURATION = 18

/**
 * The columns of a schema in base64 that are durations or in a time zone, depth first; none if it
 * cannot be read. Many fields may lead to one table, so only what is returned is made into text.
 */
export function arrowColumns(base64: string): readonly ArrowColumn[] {
  const bytes = Buffer.from(base64, 'base64')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const search = { columns: [], fields: 0 }
  try {
    const start = view.getUint32(0, true) === MARK ? PREFIX_BYTES : PREFIX_BYTES / 2
    const message = new FlatTable(view, start + view.getUint32(start, true))
    const schema = message.findTable(MESSAGE_HEADER)
    if (schema !== undefined) collect(schema.tables(SCHEMA_FIELDS), [], search)
  } catch {
    // Offsets that lead out of it: what was found until then stays.
  }
  return search.columns
}

interface Search {
  readonly columns: ArrowColumn[]
  /** Those that were looked at. */
  fields: number
}

function collect(fields: Iterable<FlatTable>, above: readonly FlatTable[], search: Search): void {
  for (const field of fields) {
    if (search.fields === FIELDS_MAX || search.columns.length === COLUMNS_MAX) return
    search.fields++
    const path = [...above, field]
    const told = toldOf(path)
    if (told !== undefined) search.columns.push(told)
    if (path.length <= DEPTH_MAX) collect(field.tables(FIELD.children), path, search)
  }
}

/** `undefined` if Parquet says as much about the column at the end of the path. */
function toldOf(path: readonly FlatTable[]): ArrowColumn | undefined {
  const field = path.at(-1) as FlatTable
  const kind = field.byte(FIELD.typeKind)
  const zone = kind === TIMESTAMP ? field.findTable(FIELD.type)?.text(TIMESTAMP_ZONE) : undefined
  const isLocal = zone !== undefined && !UTC.has(zone)
  const isDuration = kind === DURATION
  if (!isLocal && !isDuration) return undefined
  const names = path.map((each) => each.text(FIELD.name) ?? '')
  return { path: names.join('.'), isDuration, ...(isLocal && { zone }) }
}

/** A table of FlatBuffers. An offset beyond the bytes throws a RangeError. */
class FlatTable {
  readonly #view: DataView
  readonly #position: number

  constructor(view: DataView, position: number) {
    this.#view = view
    this.#position = position
  }

  byte(field: number): number {
    const at = this.#place(field)
    return at === undefined ? 0 : this.#view.getUint8(at)
  }

  text(field: number): string | undefined {
    const at = this.#target(field)
    if (at === undefined) return undefined
    const { buffer, byteOffset, byteLength } = this.#view
    const length = this.#view.getUint32(at, true)
    if (at + 4 + length > byteLength) throw new RangeError('a text leads out of the schema')
    const shown = Math.min(length, TEXT_BYTES_MAX)
    return Buffer.from(buffer, byteOffset + at + 4, shown).toString('utf8')
  }

  findTable(field: number): FlatTable | undefined {
    const at = this.#target(field)
    return at === undefined ? undefined : new FlatTable(this.#view, at)
  }

  *tables(field: number): Generator<FlatTable> {
    const at = this.#target(field)
    const count = at === undefined ? 0 : this.#view.getUint32(at, true)
    for (let i = 0; i < count; i++) {
      const entry = (at as number) + 4 + 4 * i
      yield new FlatTable(this.#view, entry + this.#view.getUint32(entry, true))
    }
  }

  #target(field: number): number | undefined {
    const at = this.#place(field)
    return at === undefined ? undefined : at + this.#view.getUint32(at, true)
  }

  #place(field: number): number | undefined {
    const layout = this.#position - this.#view.getInt32(this.#position, true)
    const entry = 4 + 2 * field
    if (entry >= this.#view.getUint16(layout, true)) return undefined
    const offset = this.#view.getUint16(layout + entry, true)
    return offset === 0 ? undefined : this.#position + offset
  }
}
