import { z } from 'zod'
import { CATALOG_SECURABLE, exportOfSecurable, type Place } from '../../catalog/grant-store.ts'
import { isPrincipalName } from '../../core/access/principal-name.ts'
import { CatalogError } from '../../core/errors.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { ACCESS_TAG, type AccessPlatform, requireAccess } from './access-platform.ts'
import { KeysQuery, PrincipalGrantsAnswer } from './access-shapes.ts'
import { namedPrincipal } from './named-principals.ts'
import { dotted } from './permissions.ts'

const Position = z.tuple([z.string()])

interface ShownGrant {
  readonly privilege: string
  readonly on: Place['kind'] | 'catalog' | 'export'
  readonly name: string | null
  readonly through: string
}

export function principalRoutes(platform: AccessPlatform): readonly Route[] {
  return [listGrants(platform)]
}

const listGrants = (platform: AccessPlatform) =>
  defineRoute(
    {
      ...{ method: 'get', path: '/v1/principals/{principal}/grants', tag: ACCESS_TAG },
      operationId: 'listPrincipalGrants',
      parameters: { principal: 'Who, with `/` as `%2F`: `key:<id>`, `role:<name>`...' },
      permission: 'in-use-case',
      summary: 'List all that is granted to somebody',
      description:
        'Their own grants and those of their roles and of `everyone`, as `through` says, not ' +
        'those of groups that only a token names. Needs `admin`, but not for oneself.',
      query: KeysQuery,
      answers: [{ status: 200, description: 'One page of grants.', shape: PrincipalGrantsAnswer }],
      problems: ['access-off', 'page-token-invalid'],
      curl: 'curl $MORAINE/v1/principals/role:readers/grants',
    },
    async (call) => {
      const { page_token, page_size } = call.query
      const principal = call.param('principal')
      const isOwn = principal === nameOfPrincipal(call.principal)
      if (isOwn) await call.authorize('describe', [{ on: 'namespace', name: [] }])
      else await call.authorize('admin', [{ on: 'catalog', name: undefined }])
      const { keeper } = requireAccess(platform)
      if (!isPrincipalName(principal)) {
        throw new CatalogError('request-invalid', 'That is the name of no principal')
      }
      const names = keeper.book.namesOf(isOwn ? call.principal : namedPrincipal(principal))
      const [after] = page_token === undefined ? [''] : parsePageToken(page_token, Position)
      const rest = (await grantsOf(platform, names)).filter((grant) => textOf(grant) > after)
      const page = rest.slice(0, page_size + 1)
      const { items, nextPageToken } = cutPage(page, page_size, (grant) => [textOf(grant)])
      return jsonReply({ principal, grants: items, next_page_token: nextPageToken })
    },
  )

/** Without those on what is dropped. */
async function grantsOf(
  { catalog }: AccessPlatform,
  names: readonly string[],
): Promise<readonly ShownGrant[]> {
  const found = (await Promise.all(names.map((name) => catalog.grants.listOf(name)))).flat()
  const uuids = new Set(found.map(({ securable }) => securable))
  uuids.delete(CATALOG_SECURABLE)
  const places = await catalog.grants.findPlaces([...uuids])
  const byUuid = new Map(places.map((place) => [place.uuid, place]))
  const shown = found.flatMap(({ securable, principal: through, privilege }): ShownGrant[] => {
    if (securable === CATALOG_SECURABLE) return [{ privilege, on: 'catalog', name: null, through }]
    const task = exportOfSecurable(securable)
    if (task !== undefined) return [{ privilege, on: 'export', name: task, through }]
    const place = byUuid.get(securable)
    if (place === undefined) return []
    return [{ privilege, on: place.kind, name: dotted(place), through }]
  })
  return shown.sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
}

function textOf({ on, name, through, privilege }: ShownGrant): string {
  return [on, name ?? '', through, privilege].join('\n')
}
