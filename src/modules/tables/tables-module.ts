import type { Stores } from '../../catalog/catalog.ts'
import type { LakeServices } from '../../lake/lake.ts'
import type { Module } from '../module.ts'
import type { DropDependencies } from './drop-table.ts'
import { evictHistories } from './evict-histories.ts'
import { readingRoutes } from './reading-routes.ts'
import { refRoutes } from './ref-routes.ts'
import type { RewriteDependencies } from './rewrite-schema.ts'
import { schemaRoutes } from './schema-routes.ts'
import { snapshotRoutes } from './snapshot-routes.ts'
import { tableRoutes } from './table-routes.ts'

/** Tables: their definitions, schemas and snapshots, and reading them. */
export function tablesModule(
  platform: RewriteDependencies &
    LakeServices &
    DropDependencies &
    Stores<'datasets' | 'events' | 'locations' | 'namespaces' | 'views'>,
): Module {
  return {
    name: 'tables',
    routes: [
      ...tableRoutes(platform),
      ...schemaRoutes(platform),
      ...snapshotRoutes(platform),
      ...refRoutes(platform),
      ...readingRoutes(platform),
    ],
    consumes: [evictHistories(platform)],
  }
}
