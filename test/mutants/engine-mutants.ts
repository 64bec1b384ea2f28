import type { MutantGroup } from './mutant.ts'

const SESSION = ['test/engine/worker/session.test.ts']

/** Bugs in the engine. */
export const ENGINE: readonly MutantGroup[] = [
  {
    file: 'src/engine/worker/query/sql-constants.ts',
    tests: ['test/modules/rows/sql.test.ts'],
    edits: [
      ["(id === 'DOUBLE' || isWhole)", 'isWhole'],
      ["(id === 'DOUBLE' || isWhole)", "id === 'DOUBLE'"],
    ],
  },
  {
    file: 'src/engine/worker/query/sql-check.ts',
    tests: ['test/engine/worker/no-rows.test.ts'],
    edits: [
      ["'LIMIT_MODIFIER') this.mayTakeNone ||= !", "'LIMIT_MODIFIER') this.mayTakeNone = !"],
      ["=== 'CONSTANT' && String(", "=== 'CONSTANT' || String("],
      ['Number(value) >= 1', 'Number(value) >= 0'],
    ],
  },
  {
    file: 'src/engine/worker/query/query-job.ts',
    tests: ['test/engine/worker/no-rows.test.ts'],
    edits: [
      ["  if (takesNone(job)) return 'nothing'\n", ''],
      ['{ ...asked.table, sources: [] }', 'asked.table'],
    ],
  },
  {
    file: 'src/engine/worker/sql/session.ts',
    tests: SESSION,
    edits: [
      [`    'SET GLOBAL enable_external_access = false',\n`, ''],
      [`    'SET GLOBAL lock_configuration = true',\n`, ''],
      ['`SET GLOBAL allowed_directories = ', '`SET GLOBAL allowed_paths = '],
      ['    directories: [folder],', `    directories: ['/'],`],
      ['list(paths)}`', 'list([])}`'],
    ],
  },
  {
    file: 'src/engine/worker/query/query-session.ts',
    tests: ['test/engine/worker/query-session.test.ts'],
    edits: [
      ['if (isRefusal || !isOutOfMemory(error)) throw error', 'throw error'],
      [' || sources.some((source) => hasDeletes(source))', ''],
      ['tables.some(({ restriction }) => restriction !== undefined)', 'false'],
      ['      linkedPaths.length = 0\n', ''],
    ],
  },
  {
    file: 'src/engine/worker/sql/kept-sessions.ts',
    tests: ['test/engine/worker/kept-sessions.test.ts'],
    edits: [
      ['options.memoryBytes, folders, files])', 'options.memoryBytes, folders])'],
      ['options.memoryBytes, folders, files])', 'options.memoryBytes, files])'],
      ['      connection.closeSync()\n', ''],
      ['isSound = error instanceof CatalogError', 'isSound = true'],
      ["temporaryFolder: ''", "temporaryFolder: '/tmp'"],
    ],
  },
  {
    file: 'src/engine/worker/sql/failure.ts',
    tests: ['test/engine/failure.test.ts'],
    edits: [
      [`'^Out of Memory Error', `, ''],
      [`'bad_alloc', `, ''],
      [`, 'Allocation error :'`, ''],
      ['if (NO_SPACE.test(message)) {', 'if (false) {'],
      ['EDQUOT|', ''],
      ['if (missingPath !== undefined) {', 'if (false) {'],
      [`= isOfSystem(error) || isOfCode(error) ||`, '= isOfCode(error) ||'],
      ['isOfCode(error) || OWN_FAULT.test(message)', 'isOfCode(error)'],
      ['INTERNAL|', ''],
      [`if (message.startsWith('Not implemented')) {`, 'if (false) {'],
      ['refusal.slice(0, DETAIL_LENGTH_MAX)', 'refusal'],
      ['firstLine.slice(0, DETAIL_LENGTH_MAX)', 'message'],
      ['if (error instanceof CatalogError) return error\n', ''],
    ],
  },
  {
    file: 'src/core/quoted-name.ts',
    tests: ['test/engine/worker/sql-text.test.ts'],
    edits: [[`name.replaceAll('"', '""')`, 'name']],
  },
  {
    file: 'src/engine/worker/sql/sql-text.ts',
    tests: ['test/engine/worker/sql-text.test.ts'],
    edits: [
      [`part.replaceAll("'", "''")`, 'part'],
      [`text.replaceAll("'", "''")}'\``, `text}'\``],
      ['  requireNoNul(name, name)\n', ''],
      ['  requireNoNul(text, text)\n', ''],
      [`.join(' || chr(0) || ')`, `.join(' || ')`],
      [`parts.length === 1 ? `, 'true ? '],
    ],
  },
  {
    file: 'src/engine/worker/ingest/wire-text.ts',
    tests: ['test/engine/worker/wire-text.test.ts'],
    edits: [
      [`type.kind === 'int' ? Number(integer) : integer`, 'integer'],
      [`kind === 'float' ? Math.fround(Number(text)) : Number(text)`, 'Number(text)'],
      ['if (!Number.isFinite(number)) return undefined\n', ''],
      [`Object.is(number, -0) ? '-0.0' : String(number)`, 'String(number)'],
      [`text.endsWith('==') ? 2 : `, ''],
      [`type.kind === 'fixed' && type.length !== bytes ? undefined : text`, 'text'],
      ['if (!BASE64.test(text)) return undefined\n', ''],
      [`[A-Za-z0-9+/]{2}==|`, ''],
      ['findValueFromJson(type, text) ?? utc', 'findValueFromJson(type, text)'],
      ['Math.abs(value as number) <= DAYS_MAX', 'Math.abs(value as number) <= 2 * DAYS_MAX'],
      ['ticks >= min && ticks <= TICKS_MAX', 'ticks <= TICKS_MAX'],
      ['ticks >= min && ticks <= TICKS_MAX', 'ticks >= min'],
      [`folded === 'true' || folded === 'false' ? folded`, `true ? folded`],
      ['const folded = text.toLowerCase()', 'const folded = text'],
    ],
  },
  {
    file: 'src/engine/worker/ingest/wire-json.ts',
    tests: ['test/engine/worker/wire-json.test.ts'],
    edits: [
      [
        'this.#byName.get(name) ?? this.#byFoldedName.get(foldName(name))',
        'this.#byName.get(name)',
      ],
      [
        'this.#byName.get(name) ?? this.#byFoldedName.get(foldName(name))',
        'this.#byFoldedName.get(foldName(name))',
      ],
      ['if (values[index] !== undefined) {', 'if (false) {'],
      ['if (keys.size < entries.length)\n', 'if (false)\n'],
      ['if (!Array.isArray(json)) throw', 'if (false) throw'],
      [`'value' in entry ? entry.value : null`, `entry.key`],
      ['if (required) throw new ValueInvalid(', 'if (false) throw new ValueInvalid('],
      [
        '{ required: type.valueRequired, type: type.value }',
        '{ required: false, type: type.value }',
      ],
      [
        '{ required: type.elementRequired, type: type.element }',
        '{ required: false, type: type.element }',
      ],
      ['if (index === undefined)\n', 'if (false)\n'],
    ],
  },
  {
    file: 'src/engine/worker/ingest/text-lines.ts',
    tests: ['test/engine/worker/text-lines.test.ts'],
    edits: [
      ['isFirst && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text', 'text'],
      ['isFirst && text.startsWith', 'text.startsWith'],
      ['    line += lines\n', ''],
      ['if (openBytes > LINE_BYTES_MAX)', 'if (openBytes >= LINE_BYTES_MAX)'],
      ['if (openBytes > LINE_BYTES_MAX)', 'if (false)'],
      ['  if (openBytes > 0) yield Buffer.concat(open)\n', ''],
      ['      openBytes = 0\n', ''],
      ['    line++\n', ''],
      [`  if (start > 0) yield piece.toString('utf8', 0, start)\n`, ''],
    ],
  },
  {
    file: 'src/engine/worker/export/deletes.ts',
    tests: ['test/engine/duckdb.test.ts'],
    named: 'delete|deleted positions|constant of that file',
    edits: [
      ['WHERE CAST(c${path} AS VARCHAR) = $1', 'WHERE $1 = $1'],
      ['IS NOT DISTINCT FROM', '='],
      ['deleted, knowledgeOf(file))', 'deleted, known)'],
      ['known: knowledgeOf(source) }', 'known: knowledgeOf(file) }'],
      ['byId >= 0 ? byId : file.names.indexOf(name)', 'file.names.indexOf(name)'],
      ['    if (chunk.rowCount === 0) return\n', ''],
      [`conditions.join(' AND ')`, `conditions.join(' OR ')`],
      ['if (source.deletedRows !== undefined) deleted.addBits(source.deletedRows)\n', ''],
    ],
  },
]
