import { IDEMPOTENCY_KEY_LIFETIME } from '../idempotency.ts'
import { json } from './rest-reply.ts'
import type { IcebergRoute } from './rest-route.ts'

/** The one path that clients know without being told. */
export const CONFIG_PATH = '/v1/config'

/** There is one warehouse, whatever a client calls it. */
export const CONFIG_ROUTES: readonly IcebergRoute[] = [
  {
    method: 'GET',
    path: CONFIG_PATH,
    handle: ({ endpoints }) =>
      json({
        defaults: {},
        overrides: {},
        endpoints,
        'idempotency-key-lifetime': IDEMPOTENCY_KEY_LIFETIME,
      }),
  },
]
