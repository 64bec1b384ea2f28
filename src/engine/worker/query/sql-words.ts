import { CatalogError, type ErrorFacts } from '../../../core/errors.ts'

const DETAIL_LENGTH_MAX = 500
const CANDIDATES_MAX = 20

/** How DuckDB says what is wrong with a text, and how we do. */
const SAYINGS: readonly (readonly [RegExp, (...groups: string[]) => Saying])[] = [
  [
    /^Referenced column "(.+)" not found in FROM clause!/,
    (column) => ({ detail: `there is no column ${column}`, facts: { column } }),
  ],
  [
    /^(?:Table|Values list) "(.+)" does not have a column named "(.+)"/,
    (table, column) => ({ detail: `${table} has no column ${column}`, facts: { column } }),
  ],
  [
    /^Column "+(.+?)"+ in (?:EXCLUDE|REPLACE|RENAME) list not found in FROM clause/,
    (column) => ({ detail: `there is no column ${column}`, facts: { column } }),
  ],
  [/^Referenced table "(.+)" not found!/, (table) => ({ detail: `FROM has no table ${table}` })],
  [
    /^Ambiguous reference to column name "(.+?)" \(use: (.+)\)/,
    (column, choices) => ({
      detail: `column ${column} is of several tables: write ${choices?.replaceAll('"', '')}`,
      facts: { column },
    }),
  ],
  [
    /^column "(.+?)" must appear in the GROUP BY clause/,
    (column) => ({
      detail: `column ${column} is neither in GROUP BY nor in an aggregate`,
      facts: { column },
    }),
  ],
  [
    /^(?:Could not choose a best candidate function for the function call "(.+?)\()/,
    (name) => ({ detail: `${name} does not take values of these types: cast them` }),
  ],
  [
    /^No function matches the given name and argument types '(.+?)\(/,
    (name) => ({ detail: `${name} does not take values of these types: cast them` }),
  ],
  // A word of SQL can be a name, as `default` is of a namespace.
  [
    /^syntax error at or near "(\w+)"/,
    (word) => ({ detail: `unexpected ${word}: as a name, write "${word}"` }),
  ],
  [/^syntax error at or near "(.*)"/s, (token) => ({ detail: `unexpected ${token}` })],
  [/^syntax error at end of input/, () => ({ detail: 'the query ends too early' })],
]
const CLASS = /^[A-Z][A-Za-z ]{2,30} Error: /
const CANDIDATES = /Candidate (?:bindings|tables): ?:? ?(.+)/

interface Saying {
  readonly detail: string
  readonly facts?: ErrorFacts
}

/** `query-invalid`, in words of ours, for what DuckDB says of a text. */
export function invalidSql(message: string, facts: ErrorFacts = {}): CatalogError {
  const said = message.replace(CLASS, '')
  for (const [pattern, say] of SAYINGS) {
    const found = pattern.exec(said)
    if (found === null) continue
    const saying = say(...found.slice(1))
    const columns = candidatesIn(said)
    const told = columns.length === 0 ? '' : `: is it ${columns.join(', ')}?`
    return refusal(`${saying.detail}${told}`, { ...facts, ...saying.facts })
  }
  const [line = ''] = said.split('\n')
  return refusal(line, facts)
}

function candidatesIn(said: string): readonly string[] {
  const list = CANDIDATES.exec(said)?.[1] ?? ''
  return [...list.matchAll(/"([^"]+)"/g)].slice(0, CANDIDATES_MAX).map(([, name = '']) => name)
}

function refusal(detail: string, facts: ErrorFacts): CatalogError {
  return new CatalogError('query-invalid', detail.slice(0, DETAIL_LENGTH_MAX), { facts })
}

/**
 * Names that DuckDB takes for a function of the clock, or of what it is itself, where no column has
 * them: there is no column of that name, and nothing else.
 */
const VALUES: readonly (readonly [name: string, called: string])[] = [
  ['current_catalog', 'current_catalog'],
  ['current_date', 'today'],
  ['current_role', 'current_role'],
  ['current_schema', 'current_schema'],
  ['current_time', 'get_current_time'],
  ['current_timestamp', 'get_current_timestamp'],
  ['current_user', 'current_user'],
  ['localtime', 'current_localtime'],
  ['localtimestamp', 'current_localtimestamp'],
  ['session_user', 'session_user'],
  ['user', 'user'],
]

/** Statements after which such a name, where no column has it, is an error. */
export function withoutValues(): string {
  const macros = VALUES.flatMap(([name, called]) =>
    [...new Set([name, called])].map((each) => {
      const refusal = `error('there is no column ${name}')`
      return `CREATE OR REPLACE TEMP MACRO "${each}"() AS ${refusal}`
    }),
  )
  return macros.join('; ')
}
