/** Type of longs that may exceed 2^53, written as the plain name. Others are exact in a number. */
export const INT64 = { type: 'long' } as const

export interface AvroFieldJson {
  readonly name: string
  readonly type: AvroTypeJson
  readonly default?: null
  readonly 'field-id': number
  readonly 'iceberg-field-name'?: string
}

export type AvroTypeJson = string | readonly AvroTypeJson[] | { readonly [key: string]: unknown }

export function required(id: number, name: string, type: AvroTypeJson): AvroFieldJson {
  return { name, type, 'field-id': id }
}

export function optional(id: number, name: string, type: AvroTypeJson): AvroFieldJson {
  return { name, type: ['null', type], default: null, 'field-id': id }
}

/** The schema as text for a file's header. */
export function schemaText(schema: AvroTypeJson): string {
  return JSON.stringify(schema, (_key, type: unknown) => (type === INT64 ? 'long' : type))
}

const FIELD_SUMMARY = {
  type: 'record',
  name: 'r508',
  fields: [
    required(509, 'contains_null', 'boolean'),
    optional(518, 'contains_nan', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
}

/** Fields of version 2 (Iceberg spec, "Manifest Lists"). */
const MANIFEST_FILE_FIELDS: readonly AvroFieldJson[] = [
  required(500, 'manifest_path', 'string'),
  required(501, 'manifest_length', 'long'),
  required(502, 'partition_spec_id', 'int'),
  required(517, 'content', 'int'),
  required(515, 'sequence_number', INT64),
  required(516, 'min_sequence_number', INT64),
  required(503, 'added_snapshot_id', INT64),
  required(504, 'added_files_count', 'int'),
  required(505, 'existing_files_count', 'int'),
  required(506, 'deleted_files_count', 'int'),
  required(512, 'added_rows_count', 'long'),
  required(513, 'existing_rows_count', 'long'),
  required(514, 'deleted_rows_count', 'long'),
  optional(507, 'partitions', { type: 'array', items: FIELD_SUMMARY, 'element-id': 508 }),
  optional(519, 'key_metadata', 'bytes'),
]

/** Version 3 has row ids, too. */
export function manifestListSchema(version: 2 | 3): AvroTypeJson {
  const rowIds = version === 3 ? [optional(520, 'first_row_id', INT64)] : []
  return { type: 'record', name: 'manifest_file', fields: [...MANIFEST_FILE_FIELDS, ...rowIds] }
}
