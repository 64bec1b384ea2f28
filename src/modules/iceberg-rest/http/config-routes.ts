import { IDEMPOTENCY_KEY_LIFETIME } from '../../../http/idempotency/keeper.ts'
import { jsonReply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import type { RestServices } from '../rest-services.ts'
import { defineRestRoute } from './rest-route.ts'
import { TOKENS_PATH } from './rest-token-routes.ts'
import { ConfigAnswer } from './shapes/rest-answer-shapes.ts'

/** The one path that clients must know: its response lists all others. */
export function configRoutes(
  deps: Pick<RestServices, 'tokenEndpoint'>,
  others: readonly Route[],
): readonly Route[] {
  const config: Route = defineRestRoute(
    {
      method: 'get',
      path: '/v1/config',
      operationId: 'icebergConfig',
      permission: 'public',
      summary: 'Read the configuration for clients',
      description:
        'There is one warehouse; its name in the request is ignored. With `MORAINE_AUTH=oidc`, ' +
        '`oauth2-server-uri` says where the identity provider gives tokens.',
      answers: [{ status: 200, description: 'Settings and endpoints.', shape: ConfigAnswer }],
      problems: [],
      curl: 'curl $MORAINE/iceberg/v1/config',
    },
    async () => {
      const uri = await deps.tokenEndpoint?.()
      return jsonReply({
        defaults: uri === undefined ? {} : { 'oauth2-server-uri': uri },
        overrides: {},
        endpoints,
        'idempotency-key-lifetime': IDEMPOTENCY_KEY_LIFETIME,
      })
    },
  )
  const routes = [config, ...others]
  // Whoever signs in asks there before it reads this.
  const told = routes.filter(({ path }) => path !== TOKENS_PATH)
  const endpoints = told.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  return routes
}
