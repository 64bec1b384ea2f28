import type { Schema, Type } from '../../../core/value/type.ts'
import { csvHeader } from '../../../formats/csv-header.ts'
import type { DumpFormat } from './dump-index.ts'

/** What a text dump has around its rows, which are in shards. */
export interface TextFrame {
  readonly head: string
  /** Bytes at the end of each row that separate it from the next: the last row has none. */
  readonly separatorBytes: number
  tail(hasRows: boolean): string
}

const NOTHING: TextFrame = { head: '', separatorBytes: 0, tail: () => '' }
const XML: TextFrame = {
  head: '<data xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n',
  separatorBytes: 0,
  tail: () => '</data>\n',
}

/** JSON and XML are framed as CKAN's DataStore frames its dumps. */
export function textFrame(format: DumpFormat, schema: Schema): TextFrame {
  switch (format) {
    case 'csv':
      return { ...NOTHING, head: csvHeader(schema) }
    case 'tsv':
      return { ...NOTHING, head: csvHeader(schema, '\t') }
    case 'json':
      return {
        head: `{\n  "fields": ${JSON.stringify(fieldsOf(schema))},\n  "records": [\n`,
        separatorBytes: ',\n'.length,
        tail: (hasRows) => (hasRows ? '\n]}\n' : ']}\n'),
      }
    case 'xml':
      return XML
    default:
      return NOTHING
  }
}

function fieldsOf({ fields }: Schema): readonly { readonly id: string; readonly type: string }[] {
  return fields.map(({ name, type }) => ({ id: name, type: dataStoreType(type) }))
}

/** The type of a DataStore column, by PostgreSQL's names, whose values look so in JSON. */
function dataStoreType({ kind }: Type): string {
  switch (kind) {
    case 'boolean':
      return 'bool'
    case 'int':
      return 'int4'
    case 'long':
      return 'int8'
    case 'float':
      return 'float4'
    case 'double':
      return 'float8'
    case 'decimal':
      return 'numeric'
    case 'struct':
    case 'list':
    case 'map':
      return 'json'
    case 'timestamp_ns':
      return 'timestamp'
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'uuid':
      return kind
    default:
      return 'text'
  }
}
