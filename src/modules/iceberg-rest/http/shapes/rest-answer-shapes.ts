import { z } from 'zod'
import { boundedArray } from '../../../../http/bounded-shapes.ts'
import { EXAMPLE_UUID } from '../../../../http/common-shapes.ts'
import { NAMESPACE_LEVELS_MAX } from '../../requests/request-bounds.ts'

/**
 * Shapes for documentation only. Requests are parsed by `requests/`, which keeps 64-bit integers
 * exact and checks the same bounds; members left out here are those of the Iceberg REST
 * specification.
 */

const EXAMPLE_LOCATION = 'file:///warehouse/sky/stars'
const EXAMPLE_METADATA = `${EXAMPLE_LOCATION}/metadata/00000-a.metadata.json`

export const Namespace = boundedArray(z.string(), { max: NAMESPACE_LEVELS_MAX }).meta({
  description: 'Levels of the namespace.',
  example: ['sky'],
})
const Properties = z.record(z.string(), z.string()).meta({ example: { owner: 'ops' } })
const NextToken = z
  .string()
  .nullable()
  .meta({ description: 'Token of the next page; null on the last.', example: null })

export const RestError = z
  .strictObject({
    error: z.strictObject({
      message: z.string().meta({ description: 'For people; its wording may change.' }),
      type: z.string().meta({ description: 'The type of error, for clients to switch on.' }),
      code: z.int().meta({ description: 'The HTTP status.' }),
    }),
  })
  .meta({
    id: 'IcebergError',
    description: 'Iceberg REST specification, `IcebergErrorResponse`.',
    example: {
      error: {
        message: 'Table does not exist: sky.stars',
        type: 'NoSuchTableException',
        code: 404,
      },
    },
  })

export const ConfigAnswer = z
  .looseObject({
    defaults: Properties,
    overrides: Properties,
    endpoints: z.array(z.string()).meta({ description: 'All endpoints of this service.' }),
    'idempotency-key-lifetime': z
      .string()
      .meta({ description: 'How long a request may be repeated with its key (ISO 8601).' }),
  })
  .meta({
    id: 'IcebergConfig',
    example: {
      defaults: {},
      overrides: {},
      endpoints: ['GET /v1/{prefix}/namespaces'],
      'idempotency-key-lifetime': 'PT1H',
    },
  })

export const NamespaceListAnswer = z
  .looseObject({ namespaces: z.array(Namespace), 'next-page-token': NextToken })
  .meta({
    id: 'IcebergNamespaceList',
    example: { namespaces: [['sky']], 'next-page-token': null },
  })

export const NamespaceAnswer = z
  .looseObject({ namespace: Namespace, properties: Properties })
  .meta({ id: 'IcebergNamespace', example: { namespace: ['sky'], properties: { owner: 'ops' } } })

export const NamespaceUpdateAnswer = z
  .looseObject({
    updated: z.array(z.string()),
    removed: z.array(z.string()),
    missing: z.array(z.string()),
  })
  .meta({
    id: 'IcebergNamespaceUpdate',
    description: 'Keys of the properties.',
    example: { updated: ['owner'], removed: [], missing: [] },
  })

export const Identifier = z
  .looseObject({ namespace: Namespace, name: z.string() })
  .meta({ id: 'IcebergIdentifier', example: { namespace: ['sky'], name: 'stars' } })

export const IdentifierListAnswer = z
  .looseObject({ identifiers: z.array(Identifier), 'next-page-token': NextToken })
  .meta({
    id: 'IcebergIdentifierList',
    example: { identifiers: [{ namespace: ['sky'], name: 'stars' }], 'next-page-token': null },
  })

const Metadata = z.looseObject({ 'format-version': z.int() })
const Settings = z.record(z.string(), z.string())
const Credential = z.looseObject({
  prefix: z.string().meta({ description: 'Locations that begin with it are meant.' }),
  config: Settings,
})

export const LoadTableAnswer = z
  .looseObject({
    'metadata-location': z
      .string()
      .optional()
      .meta({ description: 'Absent if the creation is only staged.' }),
    metadata: Metadata.meta({ description: 'Iceberg table metadata.' }),
    config: Settings.meta({ description: 'Settings by which the client gets at the files.' }),
    'storage-credentials': z
      .array(Credential)
      .optional()
      .meta({ description: 'Where the client asks for them and the service gives them.' }),
    'read-restrictions': z
      .record(z.string(), z.unknown())
      .optional()
      .meta({
        description:
          'What an engine that a policy trusts must apply: `required-row-filter`, then ' +
          '`required-column-projections`.',
      }),
  })
  .meta({
    id: 'IcebergTable',
    description: 'Iceberg REST specification, `LoadTableResult`.',
    example: {
      'metadata-location': EXAMPLE_METADATA,
      metadata: {
        'format-version': 2,
        'table-uuid': EXAMPLE_UUID,
        location: EXAMPLE_LOCATION,
      },
      config: {},
    },
  })

export const UnregisterAnswer = z
  .looseObject({ 'metadata-location': z.string(), metadata: Metadata })
  .meta({
    id: 'IcebergUnregisteredTable',
    example: { 'metadata-location': EXAMPLE_METADATA, metadata: { 'format-version': 2 } },
  })

export const LoadViewAnswer = z
  .looseObject({ 'metadata-location': z.string(), metadata: Metadata, config: Properties })
  .meta({
    id: 'IcebergView',
    description: 'Iceberg REST specification, `LoadViewResult`.',
    example: {
      'metadata-location': EXAMPLE_METADATA,
      metadata: { 'format-version': 1 },
      config: {},
    },
  })

export const CredentialsAnswer = z
  .looseObject({ 'storage-credentials': z.array(Credential) })
  .meta({ id: 'IcebergCredentials', example: { 'storage-credentials': [] } })

export const SignedRequestAnswer = z
  .looseObject({
    uri: z.string().meta({ description: 'The address to send it to, as it was signed.' }),
    headers: z.record(z.string(), z.array(z.string())).meta({ description: 'The headers to add.' }),
  })
  .meta({
    id: 'IcebergSignedRequest',
    description: 'Iceberg REST specification, `RemoteSignResult`.',
    example: {
      uri: 'https://lake.s3.eu-central-1.amazonaws.com/sky/stars/data/0.parquet',
      headers: { 'x-amz-date': ['20261128T120000Z'] },
    },
  })

const scanTasks = {
  'file-scan-tasks': z.array(z.looseObject({ 'data-file': z.looseObject({}) })),
  'delete-files': z.array(z.looseObject({})).optional(),
  'plan-tasks': z
    .array(z.string())
    .optional()
    .meta({ description: 'Tokens; each returns more tasks from `/tasks`.' }),
}

export const ScanTasksAnswer = z
  .looseObject(scanTasks)
  .meta({ id: 'IcebergScanTasks', example: { 'file-scan-tasks': [] } })

export const PlanAnswer = z
  .looseObject({ status: z.literal('completed'), 'plan-id': z.string().optional(), ...scanTasks })
  .meta({
    id: 'IcebergPlan',
    example: { status: 'completed', 'plan-id': 'Y2hlZXI', 'file-scan-tasks': [] },
  })
