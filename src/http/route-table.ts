import { CKAN_ROUTES } from './ckan/dump-routes.ts'
import { OPERATOR_ROUTES } from './operator-routes.ts'
import type { Route } from './route.ts'
import { DUMP_ROUTES } from './v1/dump-routes.ts'
import { FILE_ROUTES } from './v1/file-routes.ts'
import { READING_ROUTES } from './v1/reading-routes.ts'
import { SCHEMA_ROUTES } from './v1/schema-routes.ts'
import { SNAPSHOT_ROUTES } from './v1/snapshot-routes.ts'
import { TABLE_ROUTES } from './v1/table-routes.ts'
import { TRANSACTION_ROUTES } from './v1/transaction-routes.ts'
import { VIEW_ROUTES } from './v1/view-routes.ts'

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
