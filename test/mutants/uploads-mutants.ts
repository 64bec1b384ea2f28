import type { MutantGroup } from './mutant.ts'

const CONVERTED = ['test/modules/iceberg-rest/http/converted-meanwhile.test.ts']
const BODIES = ['test/http/body/inflated.test.ts', 'test/modules/files/text-bodies.test.ts']
const CREDENTIALS = ['test/http/url-credentials.test.ts']

/** Bugs in what is taken from clients: bodies in gzip, files to convert, addresses with keys. */
export const UPLOADS: readonly MutantGroup[] = [
  {
    file: 'src/http/body/inflated.ts',
    tests: BODIES,
    edits: [
      [
        'start = start.length === 0 ? next.value : Buffer.concat([start, next.value])',
        'start = next.value',
      ],
      ['if (start.length > 0) yield start\n', ''],
      ['else if (isDeclared) throw', 'else if (false) throw'],
      ['INFLATED_RATIO_MAX * received) throw', 'INFLATED_RATIO_MAX * received * 1e6) throw'],
      ['      received += chunk.length\n', '      received = chunk.length\n'],
      ["throw code.startsWith('Z_')", 'throw false'],
      ['    await rest.return?.()\n', ''],
    ],
  },
  {
    file: 'src/formats/parquet/schema/convertible.ts',
    tests: [
      'test/formats/parquet/schema/schema-match.test.ts',
      'test/modules/files/conversion-uploads.test.ts',
    ],
    edits: [
      ["return !['unknown', 'variant', 'opaque'].includes(table.kind)", 'return true'],
      ['  if (isNested(table)) return false\n', ''],
      ["return ['float', 'double'].includes(table.kind)", 'return false'],
      ["leafType.form === 'uint64' ? 'uint64' : leafType.type.kind", 'leafType.type.kind'],
      [
        "return from !== 'long' || table.kind !== 'double' || areExactDoubles(footer, leaf)",
        'return true',
      ],
      ['if (valueCount === 0 || statistics?.nullCount === valueCount) return true\n', ''],
      ['.every(isExactDouble)', '.some(isExactDouble)'],
      ['-EXACT_DOUBLE_MAX <= value && value <= EXACT_DOUBLE_MAX', 'value <= EXACT_DOUBLE_MAX'],
      ["  date: ['timestamp'],\n", ''],
      ["  double: ['int', 'long'],\n", ''],
    ],
  },
  {
    file: 'src/core/access/url-credentials.ts',
    tests: CREDENTIALS,
    edits: [
      ["value !== '' && NAMES.has", 'NAMES.has'],
      [".toLowerCase().replaceAll(/[-_]/g, '')", '.toLowerCase()'],
      ['name.toLowerCase().replaceAll', 'name.replaceAll'],
      ['if (KEY.test(name) || KEY.test(value))', 'if (KEY.test(value))'],
      ['return KEY.test(decoded(url)) ?', 'return KEY.test(url) ?'],
      ["return KEY.test(decoded(path)) ? '***' : `${path}?***`", 'return `${path}?***`'],
      [
        '  if (credentialInUrl(url) === undefined) return url\n',
        '  if (url.length > 0) return url\n',
      ],
      ['mor_|eyJ|%|auth', 'mor_|eyJ|auth'],
      ['replaceAll(/%([0-9a-f]{2})/gi', 'replaceAll(/%([0-9A-F]{2})/g'],
    ],
  },
  {
    file: 'src/formats/parquet/footer/footer-decode.ts',
    tests: ['test/modules/files/files-of-others.test.ts'],
    named: 'a row group without rows',
    edits: [['if (valueCount === 0 && dataPageOffset === 0) return dictionaryPageOffset\n', '']],
  },
  {
    file: 'src/engine/worker/sql/session.ts',
    tests: ['test/modules/files/files-of-others.test.ts'],
    named: 'GeoParquet',
    edits: [["    'SET GLOBAL enable_geoparquet_conversion = false',\n", '']],
  },
  {
    file: 'src/modules/iceberg-rest/snapshots/unconverted-files.ts',
    tests: CONVERTED,
    edits: [
      [' || !isAlike(schema, known)) return', ') return'],
      ['schema === undefined || !isAlike(', 'schema !== undefined && !isAlike('],
      ['if (onMain.has(snapshot) || !isKnown) return definition', 'if (true) return definition'],
      ['if (column === undefined) return\n', ''],
    ],
  },
  {
    file: 'src/formats/manifest/manifest-decoder.ts',
    tests: CONVERTED,
    edits: [["ownId ?? json.find('schema-id')?.id()", 'ownId']],
  },
  {
    file: 'src/modules/iceberg-rest/snapshots/imported-paths.ts',
    tests: ['test/modules/iceberg-rest/http/unreachable-files.test.ts'],
    edits: [
      ['    requireReachable(allowed, manifestList)\n', ''],
      ['if (manifest?.isLive(i)) requireReachable(allowed, path)\n', ''],
      ['  allowed.require(path)\n', ''],
    ],
  },
]
