import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { ConfigError, readConfig } from '../src/config.ts'
import { VARIABLES } from '../src/start-warnings.ts'

const MIB = 1024 * 1024

test('without any variable, a laptop has all that it needs below one folder', () => {
  const home = resolve('.moraine')
  expect(readConfig({})).toEqual({
    home,
    host: '127.0.0.1',
    port: 8181,
    connectionsMax: 4000,
    bodyBytesMax: 256 * MIB,
    allowedHosts: [],
    allowedOrigins: [],
    publicUrl: undefined,
    auth: 'none',
    oidc: undefined,
    isOpenToAll: false,
    trustedProxies: [],
    auditRetentionMs: 400 * 86_400_000,
    auditKeyPath: `${home}/audit-key.pem`,
    makesAuditKey: true,
    queryLimits: { running: 4, queued: 32, bytesPerDay: 0 },
    inlineMax: { rows: 10_000, bytes: 8 * MIB, files: 16 },
    catalog: { kind: 'sqlite', path: `${home}/catalog.db` },
    postgresConnectionsMax: 10,
    warehouse: `file://${home}/warehouse`,
    allowedLocations: [],
    writableLocations: [],
    relocations: [],
    logLevel: 'info',
    manifestCacheBytes: 256 * MIB,
    engineProcesses: availableParallelism(),
    engineMemoryBytes: 512 * MIB,
    linkExpirySeconds: 24 * 3_600,
    dumpBudgetBytes: 50 * 1024 * MIB,
    diskReserveBytes: 512 * MIB,
    deleteGraceMs: 7 * 86_400_000,
    s3: { forcePathStyle: false },
    gcs: { sendsTokens: false },
    exportsFolder: `${home}/exports`,
    exportSources: new Map(),
    vending: { isOn: false },
    temporaryFolder: `${home}/tmp`,
  })
})

test('an empty variable is one that is not there', () => {
  const empty = Object.fromEntries(VARIABLES.map((name) => [name, '']))
  expect(readConfig(empty)).toEqual(readConfig({}))
})

test.each([
  ['MORAINE_HOME', '/srv/moraine', { temporaryFolder: '/srv/moraine/tmp' }],
  ['MORAINE_HOME', '/srv/moraine', { warehouse: 'file:///srv/moraine/warehouse' }],
  ['MORAINE_HOME', '/srv/x', { catalog: { kind: 'sqlite', path: '/srv/x/catalog.db' } }],
  ['MORAINE_HOST', '0.0.0.0', { host: '0.0.0.0' }],
  ['MORAINE_AUTH', 'keys', { auth: 'keys' }],
  ['MORAINE_OPEN_TO_ALL', 'yes', { isOpenToAll: true }],
  ['MORAINE_OIDC_ISSUER', 'https://a.example', { oidc: undefined }],
  ['MORAINE_CKAN_URL', 'https://a.example', { ckanUrl: undefined }],
  ['MORAINE_TRUST_PROXY', '10.0.0.7, ::1/128', { trustedProxies: ['10.0.0.7', '::1/128'] }],
  ['MORAINE_AUDIT_RETENTION', '90d', { auditRetentionMs: 90 * 86_400_000 }],
  ['MORAINE_AUDIT_KEY', '/etc/key.pem', { auditKeyPath: '/etc/key.pem', makesAuditKey: false }],
  ['MORAINE_QUERIES_RUNNING', '2', { queryLimits: { running: 2, queued: 32, bytesPerDay: 0 } }],
  ['MORAINE_QUERIES_QUEUED', '0', { queryLimits: { running: 4, queued: 0, bytesPerDay: 0 } }],
  [
    'MORAINE_QUERY_BYTES_PER_DAY',
    '1GB',
    { queryLimits: { running: 4, queued: 32, bytesPerDay: 1024 * MIB } },
  ],
  ['MORAINE_INLINE_ROWS', '7', { inlineMax: { rows: 7, bytes: 8 * MIB, files: 16 } }],
  ['MORAINE_INLINE_BYTES', '64MB', { inlineMax: { rows: 10_000, bytes: 64 * MIB, files: 16 } }],
  ['MORAINE_INLINE_FILES', '1000', { inlineMax: { rows: 10_000, bytes: 8 * MIB, files: 1_000 } }],
  ['MORAINE_PORT', '0', { port: 0 }],
  ['MORAINE_PORT', '65535', { port: 65_535 }],
  ['MORAINE_CATALOG', 'sqlite:/srv/c.db', { catalog: { kind: 'sqlite', path: '/srv/c.db' } }],
  [
    'MORAINE_ALLOWED_HOSTS',
    'Lake.example.org:80, a_b,',
    { allowedHosts: ['lake.example.org', 'a_b'] },
  ],
  [
    'MORAINE_ALLOWED_ORIGINS',
    'https://a.org/, http://b:80',
    { allowedOrigins: ['https://a.org', 'http://b'] },
  ],
  ['MORAINE_PUBLIC_URL', 'https://Lake.example.org/', { publicUrl: 'https://lake.example.org' }],
  ['MORAINE_PUBLIC_URL', 'https://a.org/lake/', { publicUrl: 'https://a.org/lake' }],
  ['MORAINE_PUBLIC_URL', 'http://a.org:80/a b/c', { publicUrl: 'http://a.org/a%20b/c' }],
  [
    'MORAINE_CATALOG',
    'postgres://ann:pw@db/moraine',
    { catalog: { kind: 'postgres', url: 'postgres://ann:pw@db/moraine' } },
  ],
  ['MORAINE_POSTGRES_POOL', '1', { postgresConnectionsMax: 1 }],
  ['MORAINE_POSTGRES_POOL', '1000', { postgresConnectionsMax: 1000 }],
  ['MORAINE_WAREHOUSE', 'file:///srv/lake/', { warehouse: 'file:///srv/lake' }],
  ['MORAINE_WAREHOUSE', '/srv/lake', { warehouse: 'file:///srv/lake' }],
  ['MORAINE_WAREHOUSE', 's3://lake', { warehouse: 's3://lake' }],
  ['MORAINE_WAREHOUSE', 'gs://lake/a/b/', { warehouse: 'gs://lake/a/b' }],
  [
    'MORAINE_S3_ENDPOINT',
    'http://127.0.0.1:9000',
    { s3: { endpoint: 'http://127.0.0.1:9000', forcePathStyle: true } },
  ],
  [
    'MORAINE_S3_CREDENTIALS',
    '/etc/s3#ann',
    { s3: { readCredentials: { path: '/etc/s3', profile: 'ann' } } },
  ],
  [
    'MORAINE_S3_CREDENTIALS_RO',
    '/etc/s3',
    { s3: { readCredentials: { path: '/etc/s3', profile: 'default' } } },
  ],
  [
    'MORAINE_GCS_CREDENTIALS',
    '/a.json',
    { gcs: { readKeyFile: '/a.json', writeKeyFile: '/a.json' } },
  ],
  ['MORAINE_GCS_ENDPOINT_AUTH', 'on', { gcs: { sendsTokens: true } }],
  ['MORAINE_GCS_CREDENTIALS_RO', '/a.json', { gcs: { readKeyFile: '/a.json' } }],
  [
    'MORAINE_ALLOWED_LOCATIONS',
    'file:///data, /mnt/lake/,',
    { allowedLocations: ['file:///data', 'file:///mnt/lake'] },
  ],
  [
    'MORAINE_WRITABLE_LOCATIONS',
    'file:///lake/, /mnt/tables',
    { writableLocations: ['file:///lake', 'file:///mnt/tables'] },
  ],
  [
    'MORAINE_RELOCATED',
    'file:///old=/srv/new/, /a=/b',
    {
      relocations: [
        { from: 'file:///old', to: 'file:///srv/new' },
        { from: 'file:///a', to: 'file:///b' },
      ],
    },
  ],
  ['MORAINE_HOME', '/srv/moraine', { exportsFolder: '/srv/moraine/exports' }],
  ['MORAINE_EXPORTS', '/etc/moraine/exports', { exportsFolder: '/etc/moraine/exports' }],
  ['DSL_PATH', '/etc/dsl', { exportsFolder: '/etc/dsl' }],
  ['EXPORT_PATH', '/srv/archive/', { exportPath: '/srv/archive' }],
  ['EXPORT_PATH', 'file:///srv/archive', { exportPath: '/srv/archive' }],
  [
    'MORAINE_EXPORT_SOURCES',
    'crm=postgres://a:p,w@h/db,erp=postgresql://h2/db',
    {
      exportSources: new Map([
        ['crm', 'postgres://a:p,w@h/db'],
        ['erp', 'postgresql://h2/db'],
      ]),
    },
  ],
  ['DATABASE_URL', 'postgres://h/db', { exportSources: new Map([['default', 'postgres://h/db']]) }],
  ['DATABASE_URL', 'mysql://h/db', { exportSources: new Map() }],
  ['MORAINE_VEND', 'on', { vending: { isOn: true } }],
  [
    'MORAINE_S3_VEND_ROLE',
    'arn:aws:iam::123456789012:role/lake/engines',
    { vending: { s3Role: 'arn:aws:iam::123456789012:role/lake/engines' } },
  ],
  [
    'MORAINE_S3_STS_ENDPOINT',
    'http://127.0.0.1:9000',
    { vending: { s3StsEndpoint: 'http://127.0.0.1:9000' } },
  ],
  [
    'MORAINE_GCS_STS_ENDPOINT',
    'http://127.0.0.1:9001',
    { vending: { gcsStsEndpoint: 'http://127.0.0.1:9001' } },
  ],
  [
    'MORAINE_S3_CREDENTIALS_ENGINES',
    '/etc/s3#engines',
    { vending: { s3EngineCredentials: { path: '/etc/s3', profile: 'engines' } } },
  ],
  ['MORAINE_LOG_LEVEL', 'silent', { logLevel: 'silent' }],
  ['MORAINE_MANIFEST_CACHE', '2GB', { manifestCacheBytes: 2048 * MIB }],
  ['MORAINE_ENGINE_PROCESSES', '1', { engineProcesses: 1 }],
  ['MORAINE_ENGINE_PROCESSES', '256', { engineProcesses: 256 }],
  ['MORAINE_ENGINE_MEMORY', '512MB', { engineMemoryBytes: 512 * MIB }],
  ['MORAINE_ENGINE_MEMORY', '1GB', { engineMemoryBytes: 1024 * MIB }],
  ['MORAINE_BODY_MEMORY', '32MB', { bodyBytesMax: 32 * MIB }],
  ['MORAINE_DUMP_BUDGET', '200MB', { dumpBudgetBytes: 200 * MIB }],
  ['MORAINE_DISK_RESERVE', '2GB', { diskReserveBytes: 2048 * MIB }],
  ['MORAINE_DISK_RESERVE', '0MB', { diskReserveBytes: 0 }],
  ['MORAINE_LINK_EXPIRY_HOURS', '0.25', { linkExpirySeconds: 900 }],
  ['MORAINE_AUTH', 'keys', { linkExpirySeconds: 900 }],
  ['MORAINE_LINK_EXPIRY_HOURS', '168', { linkExpirySeconds: 604_800 }],
  ['MORAINE_LINK_EXPIRY_HOURS', '0', { linkExpirySeconds: 0 }],
  [
    'MORAINE_S3_PUBLIC_ENDPOINT',
    'https://store.example.org/',
    { s3: { publicEndpoint: 'https://store.example.org' } },
  ],
  ['MORAINE_DELETE_GRACE', '0s', { deleteGraceMs: 0 }],
  ['MORAINE_DELETE_GRACE', '90m', { deleteGraceMs: 90 * 60_000 }],
  ['MORAINE_DELETE_GRACE', '36h', { deleteGraceMs: 36 * 3_600_000 }],
])('%s=%s', (name, value, expected) => {
  expect(readConfig({ [name]: value })).toMatchObject(expected)
})

test.each([
  ['MORAINE_PORT', '65536', 'a port from 0 to 65535'],
  ['MORAINE_PORT', '-1', 'a port from 0 to 65535'],
  ['MORAINE_PORT', '80a', 'a port from 0 to 65535'],
  ['MORAINE_CONNECTIONS', '9', 'a number of connections from 10 to 100000'],
  ['MORAINE_BODY_MEMORY', '31MB', 'a size of at least 32MB'],
  ['MORAINE_ALLOWED_HOSTS', '*', 'host names like'],
  ['MORAINE_ALLOWED_HOSTS', 'http://lake', 'host names like'],
  ['MORAINE_ALLOWED_ORIGINS', 'lake.example.org', 'origins like'],
  ['MORAINE_ALLOWED_ORIGINS', 'https://a.org/x', 'origins like'],
  ['MORAINE_PUBLIC_URL', 'file:///lake', 'an address like'],
  ['MORAINE_PUBLIC_URL', 'data.example.org/lake', 'an address like'],
  ['MORAINE_PUBLIC_URL', 'https://a.org/lake?x=1', 'an address like'],
  ['MORAINE_PUBLIC_URL', 'https://a.org/lake#x', 'an address like'],
  ['MORAINE_PUBLIC_URL', 'https://ann@a.org/lake', 'an address like'],
  ['MORAINE_PUBLIC_URL', 'https://a.org//lake', 'an address like'],
  ['MORAINE_VEND', 'yes', 'on or off'],
  ['MORAINE_S3_VEND_ROLE', 'engines', 'the ARN of a role'],
  ['MORAINE_CATALOG', 'mysql://db', 'sqlite:<file> or postgres://'],
  ['MORAINE_POSTGRES_POOL', '0', 'a number of connections from 1 to 1000'],
  ['MORAINE_POSTGRES_POOL', '1001', 'a number of connections from 1 to 1000'],
  ['MORAINE_WAREHOUSE', 'lake', 'file:///<folder>'],
  ['MORAINE_WAREHOUSE', 's3://', 's3://<bucket>/<folder>'],
  ['MORAINE_WAREHOUSE', 's3://Bucket/a', 's3://<bucket>/<folder>'],
  ['MORAINE_WAREHOUSE', 'gs://bucket//a', 'gs://<bucket>/<folder>'],
  ['MORAINE_S3_ENDPOINT', 'localhost:9000', 'an address like http://127.0.0.1:9000'],
  ['MORAINE_S3_PATH_STYLE', 'yes', 'true or false'],
  ['MORAINE_S3_REGION', 'eu central', 'a region like eu-central-1'],
  ['MORAINE_WAREHOUSE', 'ftp://host/lake', 'file:///<folder>'],
  ['MORAINE_ALLOWED_LOCATIONS', '/data,lake', 'separated by commas'],
  ['MORAINE_WRITABLE_LOCATIONS', '/a,/a', 'none within another'],
  ['MORAINE_RELOCATED', '/old', 'file:///old=file:///new'],
  ['MORAINE_RELOCATED', '/old=new', 'file:///old=file:///new'],
  ['MORAINE_RELOCATED', '/a=/new, /b=/new', 'file:///old=file:///new'],
  ['MORAINE_RELOCATED', '/a=/new, /b=/new/below', 'file:///old=file:///new'],
  ['MORAINE_RELOCATED', `${resolve('.')}=/new`, 'remove it if the folder was moved back'],
  ['MORAINE_EXPORT_SOURCES', 'moraine=postgres://h/db', 'not moraine, which is our own tables'],
  ['MORAINE_EXPORT_SOURCES', 'a=postgres://h/db,a=postgres://h/db', 'each name once'],
  ['MORAINE_LOG_LEVEL', 'loud', 'trace, debug, info, warn, error, silent'],
  ['MORAINE_MANIFEST_CACHE', '256', 'a size like 256MB or 2GB'],
  ['MORAINE_DUMP_BUDGET', 'unlimited', 'a size like 500MB or 50GB'],
  ['MORAINE_DISK_RESERVE', '5%', 'a size like 512MB or 5GB, or 0MB for none'],
  ['MORAINE_LINK_EXPIRY_HOURS', '169', 'a number of hours up to 168'],
  ['MORAINE_LINK_EXPIRY_HOURS', '15m', 'a number of hours up to 168'],
  ['MORAINE_S3_PUBLIC_ENDPOINT', 'store', 'an address like http://127.0.0.1:9000'],
  ['MORAINE_DELETE_GRACE', '7 days', 'a time like 30m, 12h or 7d'],
  ['MORAINE_ENGINE_PROCESSES', '0', 'from 1 to 256'],
  ['MORAINE_ENGINE_PROCESSES', '257', 'from 1 to 256'],
  ['MORAINE_ENGINE_PROCESSES', '1.5', 'from 1 to 256'],
  ['MORAINE_ENGINE_MEMORY', 'lots', 'a size of at least 256MB'],
  ['MORAINE_ENGINE_MEMORY', '-512MB', 'a size of at least 256MB'],
  ['MORAINE_ENGINE_MEMORY', '255MB', 'a size of at least 256MB'],
])('%s=%s stops the start with one line that says what is allowed', (name, value, allowed) => {
  const message = messageOf({ [name]: value })
  expect(message).toContain(`${name}=${value} `)
  expect(message).toContain(allowed)
  expect(message).not.toContain('\n')
})

test('a password is in no message', () => {
  const message = messageOf({ MORAINE_CATALOG: 'mysql://ann:s3cret@db/moraine' })
  expect(message).toContain('mysql://ann:***@db/moraine')
  expect(message).not.toContain('s3cret')
  const difficult = messageOf({ MORAINE_CATALOG: 'mysql://ann:a/b@c:d@db/moraine' })
  for (const part of ['a/b', 'c:d']) expect(difficult).not.toContain(part)
  const asParameter = messageOf({ MORAINE_CATALOG: 'postgres:///db?user=x&password=s3cret' })
  expect(asParameter).not.toContain('s3cret')
})

test('a value of several lines is shown in one', () => {
  expect(messageOf({ MORAINE_PORT: '80\n81' })).not.toContain('\n')
})

function messageOf(environment: Record<string, string>): string {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('it was accepted')
}

test('without sign-in, credentials are given to engines only where no other machine asks', () => {
  for (const MORAINE_HOST of ['127.0.0.1', 'localhost', '::1']) {
    expect(readConfig({ MORAINE_HOST, MORAINE_VEND: 'on' }).vending.isOn).toBe(true)
  }
  for (const MORAINE_HOST of ['0.0.0.0', '::', '10.0.0.7', 'lake.example.org']) {
    expect(readConfig({ MORAINE_HOST }).vending.isOn).toBe(false)
    expect(() => readConfig({ MORAINE_HOST, MORAINE_VEND: 'on' })).toThrow(
      `MORAINE_VEND=on cannot be used with MORAINE_HOST=${MORAINE_HOST}: there is no auth`,
    )
    const keyed = { MORAINE_HOST, MORAINE_VEND: 'on', MORAINE_AUTH: 'keys' }
    expect(readConfig(keyed).vending.isOn).toBe(true)
  }
})
