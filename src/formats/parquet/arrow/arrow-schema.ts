/** Key of a footer's metadata under which Arrow's writers keep the schema that they wrote. */
export const ARROW_SCHEMA_KEY = 'ARROW:schema'

/** What Arrow's schema says about a column beyond what Parquet says. */
export interface ArrowColumn {
  /** Dotted path. */
  readonly path: string
  /** Time zone of a timestamp, as it is written. */
  readonly zone?: string
  readonly isDuration: boolean
}

/** Encapsulated messages begin with this mark and their length (Arrow columnar format, "IPC"). */
const MARK = 0xffffffff
const PREFIX_BYTES = 8
/** Deeper or more columns are not looked at: what is found is told to people only. */
const COLUMNS_MAX = 10_000
const DEPTH_MAX = 50
/** Indexes of fields in the tables of Arrow's `Message.fbs` and `Schema.fbs`. */
const MESSAGE_HEADER = 2
const SCHEMA_FIELDS = 1
const FIELD = { name: 0, typeKind: 2, type: 3, children: 5 }
const TIMESTAMP_ZONE = 1
/** Values of the union Type. */
const TIMESTAMP = 10
const DURATION = 18

/** The columns of a schema in base64, depth first; none if it cannot be read. */
export function arrowColumns(base64: string): readonly ArrowColumn[] {
  const bytes = Buffer.from(base64, 'base64')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const columns: ArrowColumn[] = []
  try {
    const start = view.getUint32(0, true) === MARK ? PREFIX_BYTES : PREFIX_BYTES / 2
    const message = new FlatTable(view, start + view.getUint32(start, true))
    for (const field of message.findTable(MESSAGE_HEADER)?.tables(SCHEMA_FIELDS) ?? []) {
      collect(field, { above: '', depth: 0, columns })
    }
  } catch {
    // Offsets that lead out of it: what was found until then stays.
  }
  return columns
}

function collect(
  field: FlatTable,
  { above, depth, columns }: { above: string; depth: number; columns: ArrowColumn[] },
): void {
  if (columns.length >= COLUMNS_MAX || depth > DEPTH_MAX) return
  const path = `${above}${field.text(FIELD.name) ?? ''}`
  const kind = field.byte(FIELD.typeKind)
  const zone = kind === TIMESTAMP ? field.findTable(FIELD.type)?.text(TIMESTAMP_ZONE) : undefined
  columns.push({ path, isDuration: kind === DURATION, ...(zone !== undefined && { zone }) })
  for (const child of field.tables(FIELD.children)) {
    collect(child, { above: `${path}.`, depth: depth + 1, columns })
  }
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
    return Buffer.from(new Uint8Array(buffer, byteOffset + at + 4, length)).toString('utf8')
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
