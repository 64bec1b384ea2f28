import { randomUUID } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Stores } from './catalog/catalog.ts'
import { type Config, ConfigError, shown } from './config.ts'
import type { Ambient } from './core/ambient.ts'
import { ALLOWS_ALL, type Authorizer } from './http/authorizer.ts'
import type { AppOptions } from './http/serve/app.ts'
import type { NameChanges } from './lake/table/followed-names.ts'
import type { KeyedAccess } from './modules/access/keyed-access.ts'
import { AuditTrail, type TrailDependencies } from './modules/audit/audit-trail.ts'
import { newSealKeyText, type SealKey, sealKeyOf } from './modules/audit/seal-key.ts'
import { datasetAuthorizer } from './modules/datasets/dataset-authorizer.ts'
import type { Opened } from './opened.ts'
import { makeMissing } from './start-failure.ts'

type AccessDependencies = Parameters<typeof KeyedAccess.open>[0] &
  TrailDependencies & { readonly nameChanges: NameChanges }

/** Who is let in, and what is noted of it. */
export interface OpenAccess {
  /** `undefined` if nobody is asked who they are. */
  readonly access: KeyedAccess | undefined
  readonly auditTrail: AuditTrail
}

/** Loads the grants, and follows their changes. */
export async function openAccess(
  config: Config,
  deps: AccessDependencies,
  opened: Opened,
): Promise<OpenAccess> {
  const auditTrail = opened.add(new AuditTrail(deps), (it) => it.close())
  return { access: await openKeyedAccess(config, deps, opened), auditTrail }
}

async function openKeyedAccess(
  { auth, oidc, ckanUrl, trustedProxies }: Config,
  deps: AccessDependencies,
  opened: Opened,
): Promise<KeyedAccess | undefined> {
  if (auth === 'none') return undefined
  const { KeyedAccess: Keyed } = await import('./modules/access/keyed-access.ts')
  const access = opened.add(await Keyed.open(deps, { trustedProxies, oidc, ckanUrl }), (it) =>
    it.close(),
  )
  deps.nameChanges.follow(() => access.follow())
  return access
}

/** What modules use of it. */
export function accessServices(
  { access, auditTrail }: OpenAccess,
  config: Config,
  { catalog, ambient }: Stores<'datasets'> & { readonly ambient: Ambient },
) {
  const rules = { datasets: catalog.datasets, ambient }
  const authorizer = datasetAuthorizer(access?.authorizer ?? ALLOWS_ALL, rules)
  const { auditRetentionMs } = config
  const tokenFor = access?.tokenFor.bind(access)
  const tokenEndpoint = async () => access?.oidc?.tokenEndpoint()
  let key: Promise<SealKey> | undefined
  const sealKey = () => {
    key ??= openSealKey(config)
    return key
  }
  return { access, authorizer, tokenFor, tokenEndpoint, auditTrail, auditRetentionMs, sealKey }
}

/** Who is let in, by default everybody, and who notes it. */
export function gateOf({
  access,
  auditTrail,
  authorizer,
}: OpenAccess & { readonly authorizer: Authorizer }): Pick<
  AppOptions,
  'authenticator' | 'authorizer' | 'notes'
> {
  return { ...(access && { authenticator: access.authenticator }), authorizer, notes: auditTrail }
}

/** The names, the pages and the public address of this service, as the settings say. */
export function addressesOf({
  host,
  allowedHosts,
  allowedOrigins,
  publicUrl,
  trustedProxies,
}: Config): Pick<AppOptions, 'sites' | 'publicUrl' | 'trustedProxies'> {
  const ofProxy = publicUrl === undefined ? [] : [new URL(publicUrl)]
  const hosts = [host.toLowerCase(), ...allowedHosts, ...ofProxy.map(({ hostname }) => hostname)]
  const origins = [...allowedOrigins, ...ofProxy.map(({ origin }) => origin)]
  return { sites: { hosts, origins }, publicUrl, trustedProxies }
}

type KeyFile = Pick<Config, 'auditKeyPath' | 'makesAuditKey'>

/** The key that signs seals, made at the first start. Throws a `ConfigError` that says why not. */
async function openSealKey(config: KeyFile): Promise<SealKey> {
  const found = await findSealKey(config)
  if (found !== undefined) return found
  const { auditKeyPath: path, makesAuditKey } = config
  if (!makesAuditKey) throw keyUnusable(path, 'there is no such file')
  try {
    await makeMissing(dirname(path))
    await writePrivately(path, newSealKeyText())
  } catch (error) {
    throw keyUnusable(path, (error as Error).message)
  }
  // That of another process, if it was first.
  return await openSealKey({ ...config, makesAuditKey: false })
}

/** `undefined` if the file is not there. Throws a `ConfigError` if it has no such key. */
export async function findSealKey({ auditKeyPath: path }: KeyFile): Promise<SealKey | undefined> {
  try {
    return sealKeyOf(await readFile(path, 'utf8'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw keyUnusable(path, message)
  }
}

/** Readable by this user only, and never there in part. */
async function writePrivately(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
}

function keyUnusable(path: string, cause: string): ConfigError {
  return new ConfigError(
    `MORAINE_AUDIT_KEY=${shown(path)} cannot be used: ${cause}; give a private key of Ed25519, ` +
      'as "openssl genpkey -algorithm ed25519" prints one, or none to have one in MORAINE_HOME',
  )
}
