import { z } from 'zod'
import { Identifier, Namespace } from './rest-answer-shapes.ts'

const Properties = z.record(z.string(), z.string()).optional()
const Schema = z.looseObject({ type: z.literal('struct').optional(), fields: z.array(z.unknown()) })
const EXAMPLE_SCHEMA = {
  type: 'struct' as const,
  fields: [{ id: 1, name: 'id', required: true, type: 'long' }],
}

export const CreateNamespaceRequest = z
  .looseObject({ namespace: Namespace, properties: Properties })
  .meta({ id: 'IcebergCreateNamespaceRequest', example: { namespace: ['sky'], properties: {} } })

export const UpdateNamespaceRequest = z
  .looseObject({ removals: z.array(z.string()).optional(), updates: Properties })
  .meta({ id: 'IcebergUpdateNamespaceRequest', example: { updates: { owner: 'ops' } } })

export const CreateTableRequest = z
  .looseObject({
    name: z.string(),
    location: z.string().optional(),
    schema: Schema,
    'partition-spec': z.looseObject({}).optional(),
    'write-order': z.looseObject({}).optional(),
    'stage-create': z
      .boolean()
      .optional()
      .meta({ description: 'Creates nothing yet; the first commit creates the table.' }),
    properties: Properties,
  })
  .meta({ id: 'IcebergCreateTableRequest', example: { name: 'stars', schema: EXAMPLE_SCHEMA } })

const commitMembers = {
  requirements: z
    .array(z.looseObject({ type: z.string() }))
    .meta({ description: 'Conditions that must still hold.' }),
  updates: z
    .array(z.looseObject({ action: z.string() }))
    .meta({ description: 'Updates, applied in this order.' }),
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
    'table-changes': z.array(z.looseObject({ identifier: Identifier, ...commitMembers })).min(1),
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
    select: z.array(z.string()).optional(),
    filter: z.unknown().optional().meta({ description: 'An Iceberg expression.' }),
    'case-sensitive': z.boolean().optional(),
    'stats-fields': z.array(z.string()).optional(),
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
    'view-version': z.looseObject({}),
    properties: Properties,
  })
  .meta({
    id: 'IcebergCreateViewRequest',
    example: { name: 'bright', schema: EXAMPLE_SCHEMA, 'view-version': {} },
  })

export const CommitViewRequest = z
  .looseObject({
    requirements: commitMembers.requirements.optional(),
    updates: commitMembers.updates,
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
    headers: z.record(z.string(), z.array(z.string())),
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
