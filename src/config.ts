import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import {
  ByteSize,
  Duration,
  HostName,
  Hours,
  integer,
  List,
  NetworkAddress,
  type QueryLimitsConfig,
  type Read,
  readInlineMax,
  readQueryLimits,
} from './config-values.ts'
import type { InlineMax } from './core/query/inline-max.ts'
import { type ExportConfig, readExports } from './export-config.ts'
import { type OidcConfig, readCkanUrl, readOidc } from './oidc-config.ts'
import { Nothing, readStores, type StoreConfig } from './store-config.ts'

/** A worker does not start with less memory. */
const ENGINE_MEMORY_BYTES_MIN = 256 * 1024 * 1024
/** Room for one of the largest bodies beside what is kept for short ones. */
const BODY_BYTES_MIN = 32 * 1024 * 1024
const DAY_MS = 86_400_000
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

/** Settings of the service, read once at the start. */
export interface Config extends StoreConfig, ExportConfig {
  /** Absolute path of the default folder for everything. */
  readonly home: string
  readonly host: string
  /** 0 picks any free port. */
  readonly port: number
  /** Connections of clients above it are refused. */
  readonly connectionsMax: number
  /** Memory for the bodies of all requests together. */
  readonly bodyBytesMax: number
  /** Names besides `host` under which the service is known, in lower case. */
  readonly allowedHosts: readonly string[]
  /** Origins of other sites whose pages may use the service. */
  readonly allowedOrigins: readonly string[]
  /** Origin under which clients reach the service, if a proxy gives it another one. */
  readonly publicUrl: string | undefined
  /** Whether callers are asked who they are. */
  readonly auth: 'none' | 'keys' | 'oidc' | 'ckan'
  /** Whose tokens sign callers in; `undefined`: nobody's. */
  readonly oidc: OidcConfig | undefined
  /** The CKAN that decides who may read, without a slash at the end; `undefined`: none does. */
  readonly ckanUrl: string | undefined
  /** Whether anybody on the network may do everything, as the operator says. */
  readonly isOpenToAll: boolean
  /** Addresses of proxies whose `X-Forwarded-` is believed: `10.0.0.7` or `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[]
  /** How long sealed rows of the audit, and usage by day, are kept. */
  readonly auditRetentionMs: number
  /** Absolute path of the key that signs seals of the audit. */
  readonly auditKeyPath: string
  /** Whether that file is made if it is not there: not where the operator named one. */
  readonly makesAuditKey: boolean
  /** What the queries of one principal may take. */
  readonly queryLimits: QueryLimitsConfig
  readonly inlineMax: InlineMax
  readonly catalog:
    | { readonly kind: 'sqlite'; readonly path: string }
    | { readonly kind: 'postgres'; readonly url: string }
  /** Maximum number of connections to a PostgreSQL catalog. */
  readonly postgresConnectionsMax: number
  /** `file://`, `gs://` or `s3://` URI without a trailing slash, as are all folders. */
  readonly warehouse: string
  readonly allowedLocations: readonly string[]
  /** Folders besides the warehouse where tables may be: apart from it and from each other. */
  readonly writableLocations: readonly string[]
  /** Folders that were moved: tables know their files by the old locations. */
  readonly relocations: readonly { readonly from: string; readonly to: string }[]
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly manifestCacheBytes: number
  /** Conversion workers, each a process of one thread. */
  readonly engineProcesses: number
  /** Memory of each worker. */
  readonly engineMemoryBytes: number
  /** Size of all dumps together; the least recently used are removed first. */
  readonly dumpBudgetBytes: number
  /** Conversions stop where less of the disk of the temporary folder is free. */
  readonly diskReserveBytes: number
  /** How long links to objects in buckets work; 0 if none are made. */
  readonly linkExpirySeconds: number
  /** How long files stay after nothing names them any more. */
  readonly deleteGraceMs: number
  /** Absolute path of a folder for temporary files; by default on the warehouse's disk. */
  readonly temporaryFolder: string
}

/** An invalid environment variable: one line with its name, its value and what is allowed. */
export class ConfigError extends Error {}

export type Environment = Readonly<Record<string, string | undefined>>

export function readConfig(environment: Environment): Config {
  const read = readerOf(environment)
  const home = resolve(environment['MORAINE_HOME'] || './.moraine')
  const network = readNetwork(read)
  const stores = readStores(read, OptionalOrigin)
  const access = readAccess(read)
  const isKnown = access.auth !== 'none' || isLoopback(network.host)
  if (stores.vending.isOn && !isKnown) throw vendingUnsafe(network.host)
  return {
    home,
    ...network,
    catalog: read(
      'MORAINE_CATALOG',
      `sqlite:${home}/catalog.db`,
      'sqlite:<file> or postgres://<user>@<host>/<database>',
      CatalogUrl,
    ),
    postgresConnectionsMax: read(
      'MORAINE_POSTGRES_POOL',
      '10',
      'a number of connections from 1 to 1000',
      integer(1, 1_000),
    ),
    ...access,
    ...readAudit(read, home),
    queryLimits: readQueryLimits(read),
    inlineMax: readInlineMax(read),
    ...readFolders(read, home),
    ...readExports(read, home, environment),
    ...stores,
    logLevel: read('MORAINE_LOG_LEVEL', 'info', LOG_LEVELS.join(', '), z.enum(LOG_LEVELS)),
    manifestCacheBytes: read(
      'MORAINE_MANIFEST_CACHE',
      '256MB',
      'a size like 256MB or 2GB',
      ByteSize,
    ),
    engineProcesses: read(
      'MORAINE_ENGINE_PROCESSES',
      String(availableParallelism()),
      'a number of processes from 1 to 256',
      integer(1, 256),
    ),
    engineMemoryBytes: read(
      'MORAINE_ENGINE_MEMORY',
      '512MB',
      'a size of at least 256MB, like 512MB or 2GB',
      ByteSize.pipe(z.int().min(ENGINE_MEMORY_BYTES_MIN)),
    ),
    dumpBudgetBytes: read('MORAINE_DUMP_BUDGET', '50GB', 'a size like 500MB or 50GB', ByteSize),
    diskReserveBytes: read(
      'MORAINE_DISK_RESERVE',
      '512MB',
      'a size like 512MB or 5GB, or 0MB for none',
      ByteSize,
    ),
    linkExpirySeconds: read(
      'MORAINE_LINK_EXPIRY_HOURS',
      // A link works for whoever has it, also when its asker's rights have ended.
      access.auth === 'none' ? '24' : '0.25',
      'a number of hours up to 168, like 24 or 0.25, or 0 for no links',
      Hours,
    ),
    deleteGraceMs: read('MORAINE_DELETE_GRACE', '7d', 'a time like 30m, 12h or 7d', Duration),
    temporaryFolder: `${home}/tmp`,
  }
}

function readerOf(environment: Environment): Read {
  return (name, fallback, allowed, schema) => {
    const value = environment[name] || fallback
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new ConfigError(`${name}=${shown(value)} cannot be used: give ${allowed}`)
  }
}

function readFolders(
  read: Read,
  home: string,
): Pick<Config, 'warehouse' | 'allowedLocations' | 'writableLocations' | 'relocations'> {
  const warehouse = read(
    'MORAINE_WAREHOUSE',
    `file://${home}/warehouse`,
    'file:///<folder>, gs://<bucket>/<folder> or s3://<bucket>/<folder>',
    FolderUri,
  )
  const isMovedAway = ({ from }: { readonly from: string }) =>
    `${warehouse}/`.startsWith(`${from}/`)
  return {
    warehouse,
    allowedLocations: read(
      'MORAINE_ALLOWED_LOCATIONS',
      '',
      'folders like file:///data,/mnt/lake,s3://bucket/lake, separated by commas',
      FolderUris,
    ),
    writableLocations: read(
      'MORAINE_WRITABLE_LOCATIONS',
      '',
      'folders like /mnt/tables,gs://bucket/lake, separated by commas, none within another',
      FolderUris.refine((uris) => areApart(uris.map((uri) => `${uri}/`))),
    ),
    relocations: read(
      'MORAINE_RELOCATED',
      '',
      'moved folders like file:///old=file:///new, separated by commas, and none that the ' +
        `warehouse is in now (${warehouse}): remove it if the folder was moved back`,
      Relocations.refine((pairs) => !pairs.some(isMovedAway)),
    ),
  }
}

function readNetwork(
  read: Read,
): Pick<
  Config,
  | 'host'
  | 'port'
  | 'connectionsMax'
  | 'bodyBytesMax'
  | 'allowedHosts'
  | 'allowedOrigins'
  | 'publicUrl'
> {
  return {
    host: read('MORAINE_HOST', '127.0.0.1', 'a host name or address', z.string().min(1)),
    port: read('MORAINE_PORT', '8181', 'a port from 0 to 65535', integer(0, 65_535)),
    connectionsMax: read(
      'MORAINE_CONNECTIONS',
      '4000',
      'a number of connections from 10 to 100000',
      integer(10, 100_000),
    ),
    bodyBytesMax: read(
      'MORAINE_BODY_MEMORY',
      '256MB',
      'a size of at least 32MB, like 256MB or 1GB',
      ByteSize.pipe(z.int().min(BODY_BYTES_MIN)),
    ),
    allowedHosts: read(
      'MORAINE_ALLOWED_HOSTS',
      '',
      'host names like lake.example.org,moraine, separated by commas',
      HostNames,
    ),
    allowedOrigins: read(
      'MORAINE_ALLOWED_ORIGINS',
      '',
      'origins like https://portal.example.org, separated by commas',
      Origins,
    ),
    publicUrl: read(
      'MORAINE_PUBLIC_URL',
      '',
      'an address like https://lake.example.org or https://data.example.org/lake',
      OptionalBase,
    ),
  }
}

function readAccess(
  read: Read,
): Pick<Config, 'auth' | 'oidc' | 'ckanUrl' | 'isOpenToAll' | 'trustedProxies'> {
  const auths = ['none', 'keys', 'oidc', 'ckan'] as const
  const auth = read('MORAINE_AUTH', 'none', 'none, keys, oidc or ckan', z.enum(auths))
  return {
    auth,
    oidc: readOidc(read, auth),
    ckanUrl: readCkanUrl(read, auth),
    isOpenToAll: read(
      'MORAINE_OPEN_TO_ALL',
      'no',
      'yes or no',
      z.enum(['yes', 'no']).transform((text) => text === 'yes'),
    ),
    trustedProxies: read(
      'MORAINE_TRUST_PROXY',
      '',
      'addresses like 10.0.0.7 or 10.0.0.0/8, separated by commas',
      List.pipe(z.array(NetworkAddress)),
    ),
  }
}

function readAudit(
  read: Read,
  home: string,
): Pick<Config, 'auditRetentionMs' | 'auditKeyPath' | 'makesAuditKey'> {
  const given = read('MORAINE_AUDIT_KEY', '', 'the path of a file', z.string())
  return {
    auditKeyPath: given === '' ? `${home}/audit-key.pem` : resolve(given),
    makesAuditKey: given === '',
    auditRetentionMs: read(
      'MORAINE_AUDIT_RETENTION',
      '400d',
      'a time of at least 1d, like 90d or 400d',
      Duration.pipe(z.int().min(DAY_MS)),
    ),
  }
}

const CatalogUrl = z.string().transform((text, context): Config['catalog'] => {
  if (/^postgres(ql)?:\/\/[^/]/.test(text)) return { kind: 'postgres', url: text }
  const path = /^sqlite:(?:\/\/)?(.+)$/.exec(text)?.[1]
  if (path !== undefined) return { kind: 'sqlite', path: resolve(path) }
  context.addIssue('neither sqlite nor postgres')
  return z.NEVER
})

// What is wrong in other ways, the store refuses.
const BUCKET_FOLDER = /^((?:gs|s3):\/\/[a-z0-9][a-z0-9._-]*[a-z0-9](?:\/[^/]+)*)\/?$/

const FolderUri = z.string().transform((text, context) => {
  const path = /^(?:file:\/\/)?(\/.*)$/.exec(text)?.[1]
  if (path !== undefined) return `file://${resolve(path)}`
  const folder = BUCKET_FOLDER.exec(text)?.[1]
  if (folder !== undefined) return folder
  context.addIssue('neither a local folder nor one in a bucket')
  return z.NEVER
})

const FolderUris = List.pipe(z.array(FolderUri))

const HostNames = List.pipe(z.array(HostName))

const Origin = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) {
    return url.origin
  }
  context.addIssue('not an origin')
  return z.NEVER
})
const Origins = List.pipe(z.array(Origin))
const OptionalOrigin = z.union([Nothing, Origin])

/** Origin and path, without a slash at the end; encoded as a URL, so it fits into any header. */
const Base = z.string().transform((text, context) => {
  const { origin, protocol, pathname, href } = new URL(URL.canParse(text) ? text : 'about:blank')
  if (/^https?:$/.test(protocol) && href === origin + pathname && !pathname.includes('//')) {
    return href.replace(/\/$/, '')
  }
  context.addIssue('not an address')
  return z.NEVER
})
const OptionalBase = z.union([Nothing, Base])

const Relocations = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((pair) => pair.trim())
      .filter((pair) => pair !== '')
      .map((pair) => ({
        from: pair.slice(0, Math.max(0, pair.indexOf('='))).trim(),
        to: pair.slice(pair.indexOf('=') + 1).trim(),
      })),
  )
  .pipe(z.array(z.object({ from: FolderUri, to: FolderUri })))
  // A file with two names would be two files.
  .refine((pairs) => areApart(pairs.map(({ to }) => `${to}/`)), 'leads twice to one folder')

function areApart(folders: readonly string[]): boolean {
  return folders.every((folder, i) => folders.every((f, j) => i === j || !f.startsWith(folder)))
}

const SHOWN_LENGTH_MAX = 200

/** The value on one line, without passwords, which may contain any character. */
export function shown(value: string): string {
  return value
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .replace(/(:\/\/[^:@/]*):.*@/, '$1:***@')
    .replaceAll(/(password=)[^&]*/gi, '$1***')
    .slice(0, SHOWN_LENGTH_MAX)
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/

/** Whether only this machine reaches that address. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

function vendingUnsafe(host: string): ConfigError {
  return new ConfigError(
    `MORAINE_VEND=on cannot be used with MORAINE_HOST=${shown(host)}: there is no ` +
      'authentication, so whoever reaches the port would get credentials for the files; listen ' +
      'on 127.0.0.1, set MORAINE_AUTH to keys, oidc or ckan, or leave MORAINE_VEND off',
  )
}

/** The path of a folder on this machine's disks; `undefined` for one in a bucket. */
export function localPathOf(uri: string): string | undefined {
  return uri.startsWith('file://') ? uri.slice('file://'.length) : undefined
}
