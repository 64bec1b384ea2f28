import type { Schema } from '../../../core/value/type.ts'
import type { ExportJob } from '../../engine.ts'
import { ARROW_BATCH_ROWS } from './arrow-file.ts'
import { areNames, sqlNames } from './duckdb-names.ts'
import { hasFixed } from './finish-parquet.ts'
import { quoteConstant } from './sql-text.ts'
import { fieldIdSql } from './type-sql.ts'

interface Pages {
  readonly compression: string
  readonly rowGroupRows: number
}

/** Pages of data files. Row groups are multiples of DuckDB's vectors of 2,048 rows. */
const LASTING: Pages = { compression: 'zstd', rowGroupRows: 122_880 }
/** Whether both zeros may be in one column: dictionaries would make one value of them. */
export interface Zeros {
  readonly hasMinusZero: boolean
}

/** One text a line, as it is: nothing is quoted, and no text has the characters that are left. */
const WHOLE_LINES =
  `FORMAT csv, HEADER false, DELIMITER '\u0001', QUOTE '', ESCAPE '', ` + `NULLSTR '\u0003'`

export function copyOptions(
  { target, schema }: Pick<ExportJob, 'target' | 'schema'>,
  zeros: Zeros,
): string {
  switch (target.format) {
    case 'csv':
    case 'tsv':
      return (
        `FORMAT csv, HEADER ${target.header === true}, ` +
        `DELIMITER '${target.format === 'csv' ? ',' : '\t'}', QUOTE '"', ESCAPE '"', ` +
        `NULLSTR '', ${textOptions(target.compression)}`
      )
    case 'json':
    case 'xml':
      return wholeLinesOptions(target)
    case 'ndjson':
      if (areNames(schema.fields)) return `FORMAT json, ${textOptions(target.compression)}`
      return wholeLinesOptions(target)
    case 'parquet':
      return parquetOptions(schema, zeros)
    case 'arrow':
      // These files are read again at once: little memory and work matter more than size.
      return parquetOptions(
        schema,
        { hasMinusZero: true },
        { compression: interim(schema), rowGroupRows: ARROW_BATCH_ROWS },
      )
  }
}

/** For one column of texts, each of them a line. */
export function wholeLinesOptions({ compression }: Pick<ExportJob['target'], 'compression'>) {
  return `${WHOLE_LINES}, ${textOptions(compression)}`
}

/** Pages of `fixed` are written again. */
function interim(schema: Schema): string {
  return hasFixed(schema) ? 'uncompressed' : 'snappy'
}

/** No Bloom filters, because equality on binary columns uses them wrongly (DuckDB #24994). */
export function parquetOptions(schema: Schema, { hasMinusZero }: Zeros, pages = LASTING): string {
  const names = sqlNames(schema.fields)
  const ids = schema.fields.map(
    (field, i) => `${quoteConstant(names[i] ?? '')}: ${fieldIdSql(field.id, field.type)}`,
  )
  return (
    `FORMAT parquet, COMPRESSION ${pages.compression}, ROW_GROUP_SIZE ${pages.rowGroupRows}, ` +
    `USE_TMP_FILE false, WRITE_BLOOM_FILTER false, FIELD_IDS {${ids.join(', ')}}` +
    (hasMinusZero ? ', DICTIONARY_SIZE_LIMIT 0' : '')
  )
}

function textOptions(compression: ExportJob['target']['compression']): string {
  return `COMPRESSION ${compression === 'zstd' ? 'zstd' : 'none'}, USE_TMP_FILE false`
}
