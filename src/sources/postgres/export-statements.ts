import type { QueryConfig } from 'pg'
import { CatalogError } from '../../core/errors.ts'
import { quotedName } from '../../core/quoted-name.ts'
import type { SourceTable } from '../row-source.ts'

/** Options of every COPY: those of the operator's own would be another file than we promise. */
const CSV = "(format csv, header true, encoding 'UTF8')"
const COPY_OF_QUERY =
  /^copy\s*\(([\s\S]+)\)\s*to\s+stdout(?:\s+with)?(?:\s*\(?[\s,]*([a-z\s,]*)\)?)?$/i
/** The options that mean what we write; each may be left out. */
const OPTIONS = /^(?:(?:format\s+)?csv)?[\s,]*(?:header(?:\s+(?:true|on))?)?[\s,]*$/i
const COMMENTS = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)+/

/** The query in a file: alone, or in `COPY (...) TO STDOUT WITH CSV HEADER`. */
export function selectOf(text: string): string {
  const bare = statementOf(text)
  if (!/^copy\b/i.test(bare)) return requireStart(bare, /^(?:select|with|table|values)\b/i)
  const [, query, options = ''] = COPY_OF_QUERY.exec(bare) ?? []
  if (query === undefined || !OPTIONS.test(options)) {
    throw invalid('a COPY must be: COPY (<query>) TO STDOUT WITH CSV HEADER', bare)
  }
  return query.trim()
}

/** The deletion in a file. */
export function deletionOf(text: string): string {
  return requireStart(statementOf(text), /^(?:delete|with)\b/i)
}

const NAME = String.raw`(?:"[^"]+"|[\p{L}\p{M}\p{N}_$]+)`
const DELETE_FROM = new RegExp(
  String.raw`^delete\s+from\s+(?:only\s+)?(${NAME}(?:\.${NAME})?)`,
  'iu',
)

/**
 * The name in a plain deletion, as it stands there, if it is seen: whether it is that of the table
 * is known by the plan only.
 */
export function tableOfDeletion(text: string): string | undefined {
  return DELETE_FROM.exec(statementOf(text))?.[1]
}

/** By the extended protocol, which refuses a second statement. */
export function oneStatement(text: string): QueryConfig {
  // What pg's types leave out.
  const config: QueryConfig & { readonly queryMode: 'extended' } = { text, queryMode: 'extended' }
  return config
}

export function copyOf(query: string): string {
  // The line end closes a comment at the end of the query.
  return `copy (${query}\n) to stdout with ${CSV}`
}

/** `isSpread`: the places of its rows are those of several tables. */
export function deleteReturning(
  work: SourceTable & {
    readonly mode: 'atomic' | 'batches'
    readonly rowsMax?: number | undefined
  },
  isSpread: boolean,
): string {
  const { mode, where, rowsMax } = work
  const table = tableName(work.table)
  const deletion = (chosen: string) =>
    `delete from ${table} where ${chosen} returning ${selectedColumns(work)}`
  if (rowsMax === undefined) return deletion(`(${where}\n)`)
  const skip = mode === 'batches' ? ' skip locked' : ''
  const some = (place: string) =>
    `select ${place} from ${table} where (${where}\n) limit ${rowsMax} for update${skip}`
  // By their places at once, where a join would read the whole table again for each batch.
  if (!isSpread) return deletion(`ctid = any(array(${some('ctid')}))`)
  return deletion(`(tableoid, ctid) in (${some('tableoid, ctid')})`)
}

export function selectFrom(work: SourceTable): string {
  return `select ${selectedColumns(work)} from ${tableName(work.table)} where (${work.where}\n)`
}

export function selectedColumns({ columns }: Pick<SourceTable, 'columns'>): string {
  return columns === undefined ? '*' : columns.map(quotedName).join(', ')
}

/** In quotes. */
export function tableName(name: string): string {
  return name.split('.').map(quotedName).join('.')
}

/** Without comments before it and semicolons after it. */
function statementOf(text: string): string {
  return text
    .replace(/^\uFEFF/, '')
    .replace(COMMENTS, '')
    .replace(/[\s;]+$/, '')
}

function requireStart(statement: string, start: RegExp): string {
  if (start.test(statement)) return statement
  throw invalid(
    `a statement must begin with ${String(start).replaceAll(/[^a-z|]|i$/g, '')}`,
    statement,
  )
}

function invalid(detail: string, statement: string): CatalogError {
  return new CatalogError('export-task-invalid', detail, {
    facts: { statement: statement.slice(0, 200) },
  })
}
