import type { Route } from '../../../http/route.ts'
import type { RestServices } from '../rest-services.ts'
import { configRoutes } from './config-routes.ts'
import { namespaceRoutes } from './namespace-routes.ts'
import { planRoutes } from './plan-routes.ts'
import { tableRoutes } from './rest-table-routes.ts'
import { tokenRoutes } from './rest-token-routes.ts'
import { viewRoutes } from './rest-view-routes.ts'
import { tableMoreRoutes } from './table-more-routes.ts'
import { vendingRoutes } from './vending-routes.ts'

/** Every route of the Iceberg REST API; exactly these are served and advertised. */
export function icebergRoutes(deps: RestServices): readonly Route[] {
  return configRoutes(deps, [
    ...tokenRoutes(deps),
    ...namespaceRoutes(deps),
    ...tableRoutes(deps),
    ...tableMoreRoutes(deps),
    ...vendingRoutes(deps),
    ...planRoutes(deps),
    ...viewRoutes(deps),
  ])
}
