import type { Config } from './config.ts'
import { ALLOWS_ALL } from './http/authorizer.ts'
import type { AppOptions } from './http/serve/app.ts'
import type { NameChanges } from './lake/table/followed-names.ts'
import type { KeyedAccess } from './modules/access/keyed-access.ts'
import { AuditTrail, type TrailDependencies } from './modules/audit/audit-trail.ts'
import { datasetAuthorizer } from './modules/datasets/dataset-authorizer.ts'
import type { Opened } from './opened.ts'

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
export function accessServices({ access, auditTrail }: OpenAccess, { auditRetentionMs }: Config) {
  const tokenFor = access?.tokenFor.bind(access)
  const tokenEndpoint = async () => access?.oidc?.tokenEndpoint()
  return { access, tokenFor, tokenEndpoint, auditTrail, auditRetentionMs }
}

/** Who is let in, by default everybody, and who notes it. */
export function gateOf(
  { access, auditTrail }: OpenAccess,
  rules: Parameters<typeof datasetAuthorizer>[1],
): Pick<AppOptions, 'authenticator' | 'authorizer' | 'notes'> {
  const authorizer = datasetAuthorizer(access?.authorizer ?? ALLOWS_ALL, rules)
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
