import { CONFIG_ROUTES } from './config-routes.ts'
import { NAMESPACE_ROUTES } from './namespace-routes.ts'
import { PLAN_ROUTES } from './plan-routes.ts'
import type { IcebergRoute } from './rest-route.ts'
import { TABLE_ROUTES } from './rest-table-routes.ts'
import { VIEW_ROUTES } from './rest-view-routes.ts'
import { TABLE_MORE_ROUTES } from './table-more-routes.ts'

/** Every route of the Iceberg REST API: what is here is served and advertised, and nothing else. */
export const ICEBERG_ROUTES: readonly IcebergRoute[] = [
  ...CONFIG_ROUTES,
  ...NAMESPACE_ROUTES,
  ...TABLE_ROUTES,
  ...TABLE_MORE_ROUTES,
  ...PLAN_ROUTES,
  ...VIEW_ROUTES,
]
