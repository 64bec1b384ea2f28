import { stat } from 'node:fs/promises'
import {
  type Config,
  ConfigError,
  type Environment,
  isLoopback,
  localPathOf,
  shown,
} from './config.ts'

/** Every variable that config.ts reads. */
export const VARIABLES: readonly string[] = [
  'MORAINE_HOME',
  'MORAINE_HOST',
  'MORAINE_PORT',
  'MORAINE_CONNECTIONS',
  'MORAINE_BODY_MEMORY',
  'MORAINE_ALLOWED_HOSTS',
  'MORAINE_ALLOWED_ORIGINS',
  'MORAINE_PUBLIC_URL',
  'MORAINE_AUTH',
  'MORAINE_OIDC_ISSUER',
  'MORAINE_OIDC_AUDIENCE',
  'MORAINE_OIDC_GROUPS',
  'MORAINE_OIDC_ROLES',
  'MORAINE_CKAN_URL',
  'MORAINE_OPEN_TO_ALL',
  'MORAINE_TRUST_PROXY',
  'MORAINE_AUDIT_RETENTION',
  'MORAINE_AUDIT_KEY',
  'MORAINE_QUERIES_RUNNING',
  'MORAINE_QUERIES_QUEUED',
  'MORAINE_QUERY_BYTES_PER_DAY',
  'MORAINE_INLINE_ROWS',
  'MORAINE_INLINE_BYTES',
  'MORAINE_INLINE_FILES',
  'MORAINE_CATALOG',
  'MORAINE_POSTGRES_POOL',
  'MORAINE_WAREHOUSE',
  'MORAINE_ALLOWED_LOCATIONS',
  'MORAINE_WRITABLE_LOCATIONS',
  'MORAINE_RELOCATED',
  'MORAINE_S3_REGION',
  'MORAINE_S3_ENDPOINT',
  'MORAINE_S3_PATH_STYLE',
  'MORAINE_S3_CREDENTIALS',
  'MORAINE_S3_CREDENTIALS_RO',
  'MORAINE_GCS_ENDPOINT',
  'MORAINE_GCS_ENDPOINT_AUTH',
  'MORAINE_GCS_CREDENTIALS',
  'MORAINE_GCS_CREDENTIALS_RO',
  'MORAINE_S3_PUBLIC_ENDPOINT',
  'MORAINE_LINK_EXPIRY_HOURS',
  'MORAINE_GCS_STS_ENDPOINT',
  'MORAINE_VEND',
  'MORAINE_S3_VEND_ROLE',
  'MORAINE_S3_STS_ENDPOINT',
  'MORAINE_S3_CREDENTIALS_ENGINES',
  'MORAINE_LOG_LEVEL',
  'MORAINE_MANIFEST_CACHE',
  'MORAINE_ENGINE_PROCESSES',
  'MORAINE_ENGINE_MEMORY',
  'MORAINE_DELETE_GRACE',
  'MORAINE_EXPORTS',
  'MORAINE_EXPORT_SOURCES',
  'MORAINE_DISK_RESERVE',
  'MORAINE_DUMP_BUDGET',
]
/** Letters in which a name may differ from the one that was meant. */
const TYPOS_MAX = 3

/** What an operator probably did not mean, in one line each: nothing of it stops the start. */
export async function startWarnings(config: Config, environment: Environment): Promise<string[]> {
  const folders = await Promise.all(config.allowedLocations.map(missingFolder))
  return [
    ...unknownVariables(environment),
    ...unusedProviders(config, environment),
    ...folders.flat(),
    ...(await missingExports(config, environment)),
  ]
}

function unusedProviders({ auth }: Config, environment: Environment): string[] {
  const users = { MORAINE_OIDC_ISSUER: 'oidc', MORAINE_CKAN_URL: 'ckan' }
  return Object.entries(users)
    .filter(([name, user]) => auth !== user && environment[name])
    .map(([name, user]) => {
      return `${name} is ignored: MORAINE_AUTH=${auth}; set MORAINE_AUTH=${user} to use it`
    })
}

/**
 * Throws a `ConfigError` when other machines could do everything and nobody said that they should.
 */
export function requireGuarded({ host, auth, isOpenToAll }: Guarding): void {
  if (isLoopback(host) || auth !== 'none' || isOpenToAll) return
  throw new ConfigError(
    `MORAINE_HOST=${shown(host)} lets other machines in, and MORAINE_AUTH=none asks nobody who ` +
      'they are: set MORAINE_AUTH=keys, or MORAINE_OPEN_TO_ALL=yes if whoever reaches the port ' +
      'may do everything, or listen on 127.0.0.1',
  )
}

type Guarding = Pick<Config, 'host' | 'auth' | 'isOpenToAll'>

/** Whom an address other than loopback lets in. */
export function exposureWarnings({ host, auth }: Pick<Config, 'host' | 'auth'>): string[] {
  if (isLoopback(host) || auth !== 'none') return []
  return [
    `MORAINE_HOST=${shown(host)} lets other machines in, and there is no authentication: whoever ` +
      'reaches the port may read and change everything; put an authenticating proxy in front',
  ]
}

function unknownVariables(environment: Environment): string[] {
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith('MORAINE_') && !VARIABLES.includes(name),
  )
  return unknown.map((name) => {
    const near = VARIABLES.filter((known) => typosBetween(name, known) <= TYPOS_MAX)
    const [meant] = near.sort((a, b) => typosBetween(name, a) - typosBetween(name, b))
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    return `${shown(name)} is not a setting and is ignored${hint}`
  })
}

async function missingFolder(uri: string): Promise<string[]> {
  const path = localPathOf(uri)
  if (path === undefined) return []
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() === true) return []
  return [`MORAINE_ALLOWED_LOCATIONS has ${shown(uri)}, where no folder can be read`]
}

/** Without a setting that wants it, a folder of tasks need not be there. */
async function missingExports(
  { exportsFolder, exportSources }: Config,
  environment: Environment,
): Promise<string[]> {
  const named = ['MORAINE_EXPORTS', 'DSL_PATH'].find((name) => environment[name])
  if (named === undefined && exportSources.size === 0) return []
  const found = await stat(exportsFolder).catch(() => undefined)
  if (found?.isDirectory() === true) return []
  const remedy = `make it, with a folder for each task, or correct ${named ?? 'MORAINE_EXPORTS'}`
  return [`there are no export tasks: ${shown(exportsFolder)} is not a folder; ${remedy}`]
}

/** Levenshtein's distance. */
function typosBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
