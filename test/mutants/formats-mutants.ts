import type { MutantGroup } from './mutant.ts'

const DELETION_VECTOR = ['test/formats/deletes/deletion-vector.test.ts']
const SUMMARY = ['test/formats/manifest/partition-summary.test.ts']

/** Bugs in what reads and writes files. */
export const FORMATS: readonly MutantGroup[] = [
  {
    file: 'src/formats/deletes/deletion-vector.ts',
    tests: DELETION_VECTOR,
    named: '^(?!whatever the bytes|arrays, bitsets|many positions|.*(java-runs|pyroaring))',
    edits: [
      ['if (count > countMax)', 'if (count >= countMax)'],
      ['view.getUint32(blob.length - 4) !== crc32(checked)', 'false'],
      ['view.getUint32(4) !== MAGIC', 'false'],
      ['view.getUint32(0) !== checked.length', 'false'],
      ['key > KEY_MAX ||', ''],
      ['key <= (bitmaps', 'key < (bitmaps'],
      ['at !== vector.byteLength', 'false'],
      ['highBits * CONTAINER_SIZE', '(highBits << 16)'],
      ['if (row < rowCount) bits', 'if (row <= rowCount) bits'],
      ['0x80 >> (row & 7)', '1 << (row & 7)'],
      ['Math.ceil(rowCount / 8)', 'Math.floor(rowCount / 8)'],
    ],
  },
  {
    file: 'src/formats/deletes/roaring-bitmap.ts',
    tests: DELETION_VECTOR,
    named: '^(?!whatever the bytes|many positions)',
    edits: [
      ['const ARRAY_VALUES_MAX = 4_096', 'const ARRAY_VALUES_MAX = 4_095'],
      ['const OFFSETS_CONTAINERS_MIN = 4', 'const OFFSETS_CONTAINERS_MIN = 5'],
      ['containerCount > CONTAINERS_MAX', 'containerCount >= CONTAINERS_MAX'],
      ['4 * i + 2, true) + 1', '4 * i + 2, true)'],
      ['if (value <= previous)', 'if (value < previous)'],
      ['if (first <= previous ||', 'if ('],
      ['last > 0xffff', 'false'],
      ['count += last - first + 1', 'count += last - first'],
      ['value <= last; value++', 'value < last; value++'],
      ['Math.ceil(containerCount / 8)', 'Math.floor(containerCount / 8)'],
      ['8 * i + 31 -', '8 * i + 32 -'],
      ['if (actual === expected) return\n', 'return\n'],
      ['(cookie >>> 16) + 1', 'cookie >>> 16'],
    ],
  },
  {
    file: 'src/formats/parquet/schema/schema-match.ts',
    tests: ['test/formats/parquet/schema/schema-match.test.ts'],
    edits: [
      [
        '    this.#checkMissing(table, found)',
        `    if (table.path === '') this.#checkMissing(table, found)`,
      ],
      [
        'if (found.has(id) || !required || (initialDefault ?? null) !== null)',
        'if (found.has(id) || !required)',
      ],
      ['if (found.has(id) || !required ||', 'if (found.has(id) ||'],
      ['if (found.has(field.id)) {', 'if (false) {'],
      [
        'table.required && !column.required && !isNeverNull(this.#footer, column)',
        'table.required && !column.required && false',
      ],
      ['&& !isNeverNull(this.#footer, column)', ''],
      [
        '{ id: type.keyId, required: false, type: type.key }',
        '{ id: type.keyId, required: true, type: type.key }',
      ],
      ['required: type.elementRequired,', 'required: false,'],
      ['required: type.valueRequired,', 'required: false,'],
      ['this.#hasFieldIds && column.fieldId !== table.id', 'false'],
      ['!isNested(type) && isReadableAs(leafType, type)', '!isNested(type)'],
      ['resolution.isNameMissing || isUnread', 'isUnread'],
      ['const PROBLEMS_MAX = 100', 'const PROBLEMS_MAX = 3'],
      [
        '[...withDescendants(column)].some((field) => field.fieldId',
        '[column].some((field) => field.fieldId',
      ],
    ],
  },
  {
    file: 'src/formats/manifest/partition-summary.ts',
    tests: SUMMARY,
    edits: [
      ['value, this.#lower) < 0', 'value, this.#lower) > 0'],
      ['value, this.#upper) > 0', 'value, this.#upper) < 0'],
      ['this.#encode(this.#lower, -0)', 'this.#encode(this.#lower, 0)'],
      ['this.#encode(this.#upper, 0)', 'this.#encode(this.#upper, -0)'],
      ['    this.#containsNull ||= summary.containsNull\n', ''],
      ['    this.#containsNan ||= summary.containsNan === true\n', ''],
      ['      this.#containsNan = true\n', ''],
      ['      this.#containsNull = true\n', ''],
    ],
  },
  {
    file: 'src/formats/zstandard/stored-frame.ts',
    tests: ['test/formats/zstandard/stored-frame.test.ts'],
    edits: [
      ['Math.max(1, Math.ceil(', 'Math.max(0, Math.ceil('],
      ['Number(i === blocks - 1)', 'Number(i === blocks)'],
      ['0x80, 0x38)', '0x80, 0x30)'],
      ['bytes.length, true)', 'bytes.length - 1, true)'],
      ['header >>> 16', '0'],
    ],
  },
  {
    file: 'src/formats/parquet/finish/fixed-values.ts',
    tests: ['test/formats/parquet/finish/fixed-values.test.ts'],
    edits: [
      ['if (found !== length) throw', 'if (found > length) throw'],
      ['bytes.buffer, bytes.byteOffset, bytes', 'bytes.buffer, 0, bytes'],
      ['[leaf.hasRepetitionLevels, leaf.hasDefinitionLevels]', '[leaf.hasDefinitionLevels]'],
      ['body.subarray(0, levelsEnd)', 'body.subarray(0, 0)'],
    ],
  },
  {
    file: 'src/formats/parquet/finish/finish-file.ts',
    tests: ['test/formats/parquet/finish/finish-file.oracle.test.ts'],
    edits: [
      ['value: dataPageOffset + by', 'value: dataPageOffset'],
      ['value: dictionaryPageOffset + by', 'value: dictionaryPageOffset'],
      ["node.repetition === 'repeated'", 'false'],
      ['value: sum(6)', 'value: sum(7)'],
      ['value: sum(7)', 'value: sum(6)'],
      [
        '        { id: 1, type: I32, value: FIXED_LEN_BYTE_ARRAY },\n        { id: 6',
        '        { id: 6',
      ],
      ['{ id: 5, type: I64, value: offset }', '{ id: 5, type: I64, value: 4 }'],
    ],
  },
  {
    file: 'src/formats/parquet/finish/fixed-chunk.ts',
    tests: ['test/formats/parquet/finish/finish-file.oracle.test.ts'],
    edits: [
      ['if (!isDictionary && !isPlain(header)) return', 'if (!isPlain(header)) return'],
      ['codec === ZSTD ? storedZstandard(values) : values', 'values'],
      ['value: stored.length', 'value: values.length'],
      ['written.length + uncompressedBytes', 'uncompressedBytes'],
    ],
  },
]
