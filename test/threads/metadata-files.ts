/** Metadata files that are long in one respect, padded with white space. */

interface TableSize {
  readonly snapshots?: number
  readonly properties?: number
  readonly refs?: number
  readonly columns?: number
  readonly schemas?: number
  readonly specs?: number
  readonly orders?: number
  readonly statistics?: number
  readonly padding?: number
}

interface ViewSize {
  readonly versions?: number
  readonly properties?: number
  readonly columns?: number
  readonly padding?: number
}

const FILE_NAME = 'file:///t'

export function tableFileOf(size: TableSize): Buffer {
  const { snapshots = 1, properties = 0, refs = 0, columns = 1, schemas = 1, padding = 0 } = size
  const { specs = 1, orders = 1, statistics = 0 } = size
  const json = {
    ...{ 'format-version': 2, 'table-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1' },
    ...{ location: FILE_NAME, 'last-sequence-number': snapshots, 'last-updated-ms': snapshots },
    ...{ 'last-column-id': columns, 'current-schema-id': 0, 'default-spec-id': 0 },
    schemas: times(schemas, (id) => schemaOf(id, columns)),
    'partition-specs': times(specs, (id) => ({ 'spec-id': id, fields: [] })),
    ...{ 'last-partition-id': 999, 'default-sort-order-id': 0 },
    'sort-orders': times(orders, (id) => ({ 'order-id': id, fields: [] })),
    properties: propertiesOf(properties),
    'current-snapshot-id': snapshots,
    refs: Object.fromEntries(times(refs, (i) => [`r${i}`, { 'snapshot-id': 1, type: 'tag' }])),
    statistics: times(statistics, (i) => ({
      ...{ 'snapshot-id': i, 'statistics-path': `${FILE_NAME}/${i}`, 'file-size-in-bytes': 1 },
      ...{ 'file-footer-size-in-bytes': 1, 'blob-metadata': [] },
    })),
    snapshots: times(snapshots, (i) => ({
      ...{ 'snapshot-id': i + 1, 'sequence-number': i + 1, 'timestamp-ms': i + 1, 'schema-id': 0 },
      ...{ 'manifest-list': `${FILE_NAME}/${i}.avro`, summary: { operation: 'append' } },
    })),
    'snapshot-log': times(snapshots, (i) => ({ 'snapshot-id': i + 1, 'timestamp-ms': i + 1 })),
    'metadata-log': [{ 'timestamp-ms': 1, 'metadata-file': `${FILE_NAME}/0.json` }],
  }
  return Buffer.from(JSON.stringify(json) + ' '.repeat(padding))
}

export function viewFileOf(size: ViewSize): Buffer {
  const { versions = 1, properties = 0, columns = 1, padding = 0 } = size
  const json = {
    ...{ 'view-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1', 'format-version': 1 },
    ...{ location: 'file:///v', 'current-version-id': versions },
    schemas: [schemaOf(0, columns)],
    versions: times(versions, (i) => ({
      ...{ 'version-id': i + 1, 'timestamp-ms': i + 1, 'schema-id': 0, summary: {} },
      ...{ 'default-namespace': ['default'] },
      representations: [{ type: 'sql', sql: `select ${i}`, dialect: 'spark' }],
    })),
    'version-log': times(versions, (i) => ({ 'version-id': i + 1, 'timestamp-ms': i + 1 })),
    properties: propertiesOf(properties),
  }
  return Buffer.from(JSON.stringify(json) + ' '.repeat(padding))
}

/** One of them has a name that is no ordinary key. */
function propertiesOf(count: number): object {
  const text = times(count - 2, (i) => `,"p${i}":"v${i}"`).join('')
  return JSON.parse(`{"__proto__":"kept","a":"b"${text}}`)
}

function schemaOf(schemaId: number, columns: number): object {
  const fields = times(columns, (i) => ({ id: i + 1, name: `c${i}`, required: true, type: 'long' }))
  return { type: 'struct', 'schema-id': schemaId, fields }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: Math.max(0, count) }, (_, index) => make(index))
}
