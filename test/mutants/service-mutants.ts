import type { MutantGroup } from './mutant.ts'

const LOST_LEASE = ['test/modules/dumps/lost-lease.test.ts']

/** Bugs in HTTP and in the capabilities. */
export const SERVICE: readonly MutantGroup[] = [
  {
    file: 'src/modules/iceberg-rest/page.ts',
    tests: ['test/modules/iceberg-rest/pages.test.ts'],
    named: '^(?!over HTTP)',
    edits: [
      ['    if (found.length < PAGE_SIZE_MAX) return items\n', '    return items\n'],
      ['if (found.length < PAGE_SIZE_MAX)', 'if (found.length <= PAGE_SIZE_MAX)'],
      ['Math.min(pageSize, PAGE_SIZE_MAX)', 'pageSize'],
      ['listing.list(after, size + 1)', 'listing.list(after, size)'],
      ['const PAGE_SIZE_DEFAULT = 100', 'const PAGE_SIZE_DEFAULT = 1_000'],
    ],
  },
  {
    file: 'src/http/idempotency/keeper.ts',
    tests: ['test/http/idempotency/kept-answers.test.ts'],
    edits: [
      ['const LIFETIME_MS = 3600 * 1000', 'const LIFETIME_MS = 300 * 1000'],
      ['nowMs + LIFETIME_MS + GRACE_MS', 'nowMs + GRACE_MS'],
      ['nowMs + LIFETIME_MS + GRACE_MS', 'nowMs + 24 * LIFETIME_MS'],
      [`'PT1H'`, `'PT2H'`],
    ],
  },
  {
    file: 'src/modules/dumps/dumps.ts',
    tests: LOST_LEASE,
    edits: [['    await lease.confirm()\n', '']],
  },
  {
    file: 'src/modules/dumps/dump-sweep.ts',
    tests: LOST_LEASE,
    edits: [['  await lease.confirm()\n', '']],
  },
  {
    file: 'src/modules/dumps/failed-dumps.ts',
    tests: LOST_LEASE,
    edits: [
      ['  await lease.confirm()\n', ''],
      ['&& !named.has(location)', ''],
    ],
  },
  {
    file: 'src/modules/dumps/failed-dumps.ts',
    tests: ['test/lake/deletion/sweeps.test.ts'],
    named: 'shards that no dump has',
    edits: [
      ['modifiedAtMs < beforeMs && !named', '!named'],
      ['    if (lease === undefined) continue\n', ''],
    ],
  },
  {
    file: 'src/http/byte-range.ts',
    tests: ['test/http/byte-range.test.ts'],
    edits: [
      ['Number(last) + 1', 'Number(last)'],
      ['Math.min(end, lengthBytes)', 'end'],
      ['Math.max(0, lengthBytes - suffixBytes)', 'lengthBytes - suffixBytes'],
      ['suffixBytes === 0 || lengthBytes === 0', 'lengthBytes === 0'],
      ['suffixBytes === 0 || lengthBytes === 0', 'suffixBytes === 0'],
      ['start < lengthBytes ?', 'start <= lengthBytes ?'],
      ['range.end - 1', 'range.end'],
      [`  if (last !== '' && Number(last) < start) return WHOLE\n`, ''],
      [`[ \\t,]*$/i`, `[ \\t,]*$/`],
      ['header === undefined || header.length > HEADER_LENGTH_MAX', 'header === undefined'],
    ],
  },
  {
    file: 'src/http/page-token.ts',
    tests: ['test/http/page-token.test.ts'],
    edits: [
      ['if (parsed.success) return parsed.data\n', 'return parsed.data as never\n'],
      [`typeof value === 'string' && value.includes('\\0')`, 'false'],
      ['found.length > size ?', 'found.length >= size ?'],
      ['found.slice(0, size)', 'found.slice(0, size + 1)'],
    ],
  },
  {
    file: 'src/modules/dumps/format/shard-key.ts',
    tests: ['test/modules/dumps/format/shard-key.test.ts'],
    edits: [
      ['deleteFiles.map(fileText).sort()', 'deleteFiles.map(fileText)'],
      ['    String(dataFile.recordCount),\n', ''],
      ['    String(deleteFiles.length),\n', ''],
      ['    schemaJson,\n', ''],
      ['    format,\n', ''],
      ['    compression,\n    String', '    String'],
      ['    String(dialectVersion),\n', ''],
      ['contentOffset ?? null', 'null'],
      ['constants.size === 0 ? [] : [constantsText(constants)]', ''],
      [`Object.is(value, -0) ? '-0' : String(value)`, 'String(value)'],
      ['[typeof value, Object', '[Object'],
      ['hash.update(prefixed(text))', 'hash.update(ENCODER.encode(text))'],
    ],
  },
  {
    file: 'src/modules/dumps/format/gzip-join.ts',
    tests: ['test/modules/dumps/format/gzip-join.test.ts'],
    edits: [['  member[OS_AT] = OS_UNKNOWN\n', '']],
  },
  {
    file: 'src/modules/dumps/format/dump-edition.ts',
    tests: ['test/modules/dumps/format/dump-edition.test.ts'],
    edits: [
      ['    dialectVersion,\n    columns,', '    columns,'],
      [`    ...(bom ? ['bom'] : []),\n`, ''],
      ['    snapshot.manifestList,\n', ''],
      ['    dialectVersion,\n    columns,', '    dialectVersion,'],
    ],
  },
  {
    file: 'src/lake/file/columns-digest.ts',
    tests: ['test/modules/dumps/format/dump-edition.test.ts'],
    edits: [
      [', guessed: isGuessed }', ' }'],
      ['schemaToJson({ ...schema, schemaId: 0 })', 'schemaToJson(schema)'],
      ['    mapping: nameMappingToJson(mapping),\n', ''],
      ['schema: schemaToJson({ ...schema, schemaId: 0 })', 'schema: schema.fields.length'],
    ],
  },
  {
    file: 'src/modules/rows/query-source.ts',
    tests: ['test/modules/datasets/read-otherwise.test.ts'],
    edits: [
      ['    snapshot?.manifestList ?? null,\n', ''],
      ['    columnsDigest(definition, schema),\n', ''],
    ],
  },
  {
    file: 'src/modules/dumps/http/asked-edition.ts',
    tests: ['test/modules/dumps/http/dump-editions.test.ts'],
    edits: [
      ['if (asked === undefined || asked === edition) return\n', 'return\n'],
      ['before !== undefined && before.sha256 === index?.sha256', 'before !== undefined'],
      ['  if (before !== undefined && before.sha256 === index?.sha256) return\n', ''],
      ['each.sha256 !== sha256', 'false'],
      [` && mayStart !== 'starts nothing'`, ''],
    ],
  },
  {
    file: 'src/modules/dumps/dump-folder.ts',
    tests: ['test/modules/dumps/http/dump-editions.test.ts'],
    edits: [[`edition === undefined ? '' : \`-\${edition}\``, `''`]],
  },
  {
    file: 'src/http/body/body-memory.ts',
    tests: ['test/http/body/body-memory.test.ts'],
    edits: [
      ['if (this.#heldBytes + bytes > this.#maxFor(own + bytes)) throw', 'if (false) throw'],
      ['        own += bytes\n', ''],
      ['        this.#heldBytes += bytes\n', ''],
      ['        this.#heldBytes -= own\n', ''],
      ['bodyBytes <= SHORT_BODY_BYTES ? 0', 'true ? 0'],
      ['bodyBytes <= SHORT_BODY_BYTES ? 0', 'false ? 0'],
      ['      take: (bytes) => {\n        requireRoom(bytes)\n', '      take: (bytes) => {\n'],
    ],
  },
  {
    file: 'src/http/body/upload-blocks.ts',
    tests: ['test/http/body/upload-blocks.test.ts'],
    edits: [
      ['    if (more > 0) share.take(more)\n', ''],
      ['    counted += more\n', ''],
      ['      if (used > 0) yield block.subarray(0, used)\n      used = 0\n', '      used = 0\n'],
      [
        '    if (used === 0) block = new Uint8Array(BLOCK_BYTES)\n',
        '    block = new Uint8Array(BLOCK_BYTES)\n',
      ],
      ['  if (used > 0) yield block.subarray(0, used)\n}', '}'],
      ['const BLOCK_BYTES = 64 * 1024', 'const BLOCK_BYTES = 16 * 1024'],
      ['used + chunk.length > block.length ||', ''],
    ],
  },
]
