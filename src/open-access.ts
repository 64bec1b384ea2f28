import type { Catalog } from './catalog/catalog.ts'
import type { Config } from './config.ts'
import type { AppOptions } from './http/serve/app.ts'
import type { NameChanges } from './lake/table/followed-names.ts'
import type { KeyedAccess } from './modules/access/keyed-access.ts'
import { datasetAuthorizer } from './modules/datasets/dataset-authorizer.ts'
import type { Opened } from './opened.ts'

type AccessDependencies = Parameters<typeof KeyedAccess.open>[0] & {
  readonly nameChanges: NameChanges
}

/** Loads the grants, and follows their changes; `undefined` if nobody is asked who they are. */
export async function openAccess(
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
export function accessServices(access: KeyedAccess | undefined) {
  const tokenFor = access?.tokenFor.bind(access)
  return { access, tokenFor, tokenEndpoint: async () => access?.oidc?.tokenEndpoint() }
}

/** Who is let in; by default everybody. */
export function gateOf(
  access: KeyedAccess | undefined,
  { datasets }: Pick<Catalog, 'datasets'>,
): Pick<AppOptions, 'authenticator' | 'authorizer'> {
  if (access === undefined) return {}
  const { authenticator, authorizer } = access
  return { authenticator, authorizer: datasetAuthorizer(authorizer, datasets) }
}

/** The names, the pages and the public address of this service, as the settings say. */
export function addressesOf({
  host,
  allowedHosts,
  allowedOrigins,
  publicUrl,
}: Config): Pick<AppOptions, 'sites' | 'publicUrl'> {
  const ofProxy = publicUrl === undefined ? [] : [new URL(publicUrl)]
  const hosts = [host.toLowerCase(), ...allowedHosts, ...ofProxy.map(({ hostname }) => hostname)]
  const origins = [...allowedOrigins, ...ofProxy.map(({ origin }) => origin)]
  return { sites: { hosts, origins }, publicUrl }
}
