import { z } from 'zod'
import { SUMMARY_MEMBERS_MAX } from '../../../../core/limits.ts'
import { REPRESENTATIONS_MAX } from '../../../../core/metadata/apply-view-updates.ts'
import { FIELDS_MAX } from '../../../../core/metadata/schema-check.ts'
import { SPEC_FIELDS_MAX } from '../../../../core/metadata/spec-check.ts'
import { boundedArray, boundedRecord } from '../../../../http/bounded-shapes.ts'
import { STATS_FIELDS_MAX } from '../../plan/plan-limits.ts'
import {
  HEADER_VALUES_MAX,
  HEADERS_MAX,
  LIST_LENGTH_MAX,
  NAMESPACE_LEVELS_MAX,
  REQUIREMENTS_MAX,
  SNAPSHOT_IDS_MAX,
  TABLE_CHANGES_MAX,
  UPDATES_MAX,
} from '../../requests/request-bounds.ts'
import { Identifier, Namespace } from './rest-answer-shapes.ts'

const Texts = boundedRecord({ key: z.string(), value: z.string() }, LIST_LENGTH_MAX)
const Summary = boundedRecord({ key: z.string(), value: z.string() }, SUMMARY_MEMBERS_MAX)
const Properties = Texts.optional()
const Names = boundedArray(z.string(), { max: LIST_LENGTH_MAX })
const Ids = boundedArray(z.int(), { max: LIST_LENGTH_MAX })
const Schema = z.looseObject({
  type: z.literal('struct').optional(),
  fields: boundedArray(z.unknown(), { max: FIELDS_MAX }).meta({
    description: 'The limit is of fields at all levels together.',
  }),
  'identifier-field-ids': Ids.optional(),
})
const SpecFields = boundedArray(z.looseObject({ transform: z.string() }), { max: SPEC_FIELDS_MAX })
const PartitionSpec = z.looseObject({ fields: SpecFields })
const SortOrder = z.looseObject({ 'order-id': z.int(), fields: SpecFields })
const ViewVersion = z.looseObject({
  summary: Properties,
  representations: boundedArray(z.looseObject({ type: z.string() }), { max: REPRESENTATIONS_MAX }),
  'default-namespace': boundedArray(z.string(), { max: NAMESPACE_LEVELS_MAX }),
})
const EXAMPLE_SCHEMA = {
  type: 'struct' as const,
  fields: [{ id: 1, name: 'id', required: true, type: 'long' }],
}

export const CreateNamespaceRequest = z
  .looseObject({ namespace: Namespace, properties: Properties })
  .meta({ id: 'IcebergCreateNamespaceRequest', example: { namespace: ['sky'], properties: {} } })

export const UpdateNamespaceRequest = z
  .looseObject({ removals: Names.optional(), updates: Properties })
  .meta({ id: 'IcebergUpdateNamespaceRequest', example: { updates: { owner: 'ops' } } })

export const CreateTableRequest = z
  .looseObject({
    name: z.string(),
    location: z.string().optional(),
    schema: Schema,
    'partition-spec': PartitionSpec.optional(),
    'write-order': SortOrder.optional(),
    'stage-create': z
      .boolean()
      .optional()
      .meta({ description: 'Creates nothing yet; the first commit creates the table.' }),
    properties: Properties,
  })
  .meta({ id: 'IcebergCreateTableRequest', example: { name: 'stars', schema: EXAMPLE_SCHEMA } })

/** Members with lists and maps, of updates of tables and views. */
const commonMembers = {
  action: z.string(),
  schema: Schema.optional(),
  updates: Properties,
  removals: Names.optional(),
}
const TableUpdate = z
  .looseObject({
    ...commonMembers,
    spec: PartitionSpec.optional(),
    'sort-order': SortOrder.optional(),
    snapshot: z.looseObject({ summary: Summary }).optional(),
    'snapshot-ids': boundedArray(z.int(), { max: SNAPSHOT_IDS_MAX }).optional(),
    'spec-ids': Ids.optional(),
    'schema-ids': Ids.optional(),
  })
  .meta({ description: 'Which members there are depends on the action.' })
const ViewUpdate = z
  .looseObject({ ...commonMembers, 'view-version': ViewVersion.optional() })
  .meta({ description: 'Which members there are depends on the action.' })
const requirements = boundedArray(z.looseObject({ type: z.string() }), {
  max: REQUIREMENTS_MAX,
}).meta({ description: 'Conditions that must still hold.' })
const commitMembers = {
  requirements,
  updates: boundedArray(TableUpdate, { max: UPDATES_MAX }).meta({
    description: 'Updates, applied in this order. The limit is of all tables together.',
  }),
}
const exampleCommit = {
  requirements: [],
  updates: [{ action: 'set-properties', updates: { owner: 'ops' } }],
}

export const CommitTableRequest = z
  .looseObject({ identifier: Identifier.optional(), ...commitMembers })
  .meta({ id: 'IcebergCommitTableRequest', example: exampleCommit })

export const CommitTransactionRequest = z
  .looseObject({
    'table-changes': boundedArray(z.looseObject({ identifier: Identifier, ...commitMembers }), {
      min: 1,
      max: TABLE_CHANGES_MAX,
    }),
  })
  .meta({
    id: 'IcebergCommitTransactionRequest',
    example: {
      'table-changes': [{ identifier: { namespace: ['sky'], name: 'stars' }, ...exampleCommit }],
    },
  })

export const RenameRequest = z.looseObject({ source: Identifier, destination: Identifier }).meta({
  id: 'IcebergRenameRequest',
  example: {
    source: { namespace: ['sky'], name: 'stars' },
    destination: { namespace: ['sky'], name: 'suns' },
  },
})

export const RegisterRequest = z
  .looseObject({
    name: z.string(),
    'metadata-location': z.string(),
    overwrite: z.boolean().optional(),
  })
  .meta({
    id: 'IcebergRegisterRequest',
    example: {
      name: 'stars',
      'metadata-location': 'file:///warehouse/sky/stars/metadata/00000-a.metadata.json',
    },
  })

export const MetricsReport = z.looseObject({ 'report-type': z.string() }).meta({
  id: 'IcebergMetricsReport',
  example: { 'report-type': 'scan-report' },
})

export const PlanRequest = z
  .looseObject({
    'snapshot-id': z.int().optional(),
    'start-snapshot-id': z.int().optional(),
    'end-snapshot-id': z.int().optional(),
    select: Names.optional(),
    filter: z.unknown().optional().meta({ description: 'An Iceberg expression.' }),
    'case-sensitive': z.boolean().optional(),
    'stats-fields': boundedArray(z.string(), { max: STATS_FIELDS_MAX }).optional(),
  })
  .meta({ id: 'IcebergPlanRequest', example: { select: ['id'] } })

export const TasksRequest = z
  .looseObject({ 'plan-task': z.string() })
  .meta({ id: 'IcebergTasksRequest', example: { 'plan-task': 'Y2hlZXI' } })

export const CreateViewRequest = z
  .looseObject({
    name: z.string(),
    location: z.string().optional(),
    schema: Schema,
    'view-version': ViewVersion,
    properties: Properties,
  })
  .meta({
    id: 'IcebergCreateViewRequest',
    example: {
      name: 'bright',
      schema: EXAMPLE_SCHEMA,
      'view-version': {
        ...{ 'version-id': 1, 'timestamp-ms': 1_764_504_000_000, 'schema-id': 0 },
        representations: [{ type: 'sql', sql: 'SELECT 1 AS id', dialect: 'spark' }],
        'default-namespace': ['sky'],
      },
    },
  })

export const CommitViewRequest = z
  .looseObject({
    requirements: requirements.optional(),
    updates: boundedArray(ViewUpdate, { max: UPDATES_MAX }).meta({
      description: 'Updates, applied in this order.',
    }),
  })
  .meta({ id: 'IcebergCommitViewRequest', example: exampleCommit })

const pageToken = z
  .string()
  .optional()
  .meta({ description: 'If absent, everything is listed at once; if empty, the first page.' })
const pageSize = z
  .string()
  .regex(/^[1-9]\d{0,8}$/)
  .optional()
  .meta({ description: 'Maximum number of items on a page.' })

export const PageQuery = z.object({ pageToken, pageSize })
export const NamespacesQuery = z.object({
  parent: z
    .string()
    .optional()
    .meta({ description: 'Only namespaces directly below this one; levels are joined by %1F.' }),
  pageToken,
  pageSize,
})
export const LoadTableQuery = z.object({
  snapshots: z
    .enum(['all', 'refs'])
    .optional()
    .meta({ description: 'All snapshots, or only those of branches and tags.' }),
})
export const DropTableQuery = z.object({
  purgeRequested: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'Whether to delete the files that no other table uses.' }),
})

export const SignRequest = z
  .looseObject({
    method: z.enum(['GET', 'HEAD', 'PUT', 'POST', 'DELETE']),
    uri: z.string().meta({ description: 'The address with its query, as it would be sent.' }),
    region: z.string(),
    headers: boundedRecord(
      { key: z.string(), value: boundedArray(z.string(), { max: HEADER_VALUES_MAX }) },
      HEADERS_MAX,
    ),
    body: z
      .string()
      .optional()
      .meta({ description: 'Not used: no request is signed that its body decides.' }),
    provider: z.literal('s3').optional(),
  })
  .meta({
    id: 'IcebergSignRequest',
    description: 'Iceberg REST specification, `RemoteSignRequest`.',
    example: {
      ...{ method: 'GET', region: 'eu-central-1', headers: {} },
      uri: 'https://lake.s3.eu-central-1.amazonaws.com/sky/stars/data/0.parquet',
    },
  })
