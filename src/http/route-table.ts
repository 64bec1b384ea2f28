import { CKAN_ROUTES } from '../modules/dumps/http/ckan-routes.ts'
import { DUMP_ROUTES } from '../modules/dumps/http/dump-routes.ts'
import { FILE_ROUTES } from '../modules/files/file-routes.ts'
import { TRANSACTION_ROUTES } from '../modules/files/transaction-routes.ts'
import { OPERATOR_ROUTES } from '../modules/operations/operator-routes.ts'
import { READING_ROUTES } from '../modules/tables/reading-routes.ts'
import { SCHEMA_ROUTES } from '../modules/tables/schema-routes.ts'
import { SNAPSHOT_ROUTES } from '../modules/tables/snapshot-routes.ts'
import { TABLE_ROUTES } from '../modules/tables/table-routes.ts'
import { VIEW_ROUTES } from '../modules/views/view-routes.ts'
import type { Route } from './route.ts'

/** Every route: what is not here is neither served nor documented. A path with a fixed end comes before one with a parameter there. */
export const ROUTES: readonly Route[] = [
  ...OPERATOR_ROUTES,
  ...TABLE_ROUTES,
  ...SCHEMA_ROUTES,
  ...VIEW_ROUTES,
  ...SNAPSHOT_ROUTES,
  ...FILE_ROUTES,
  ...DUMP_ROUTES,
  ...CKAN_ROUTES,
  ...READING_ROUTES,
  ...TRANSACTION_ROUTES,
]
