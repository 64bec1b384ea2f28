import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import type { DumpDependencies } from '../../lake/convert/conversion-dependencies.ts'
import type { Module } from '../module.ts'
import type { DropDependencies } from './drop-table.ts'
import { readingRoutes } from './reading-routes.ts'
import { schemaRoutes } from './schema-routes.ts'
import { snapshotRoutes } from './snapshot-routes.ts'
import { tableRoutes } from './table-routes.ts'

/** Tables: their definitions, schemas and snapshots, and reading them. */
export function tablesModule(
  platform: DumpDependencies & CommitDependencies & DropDependencies,
): Module {
  return {
    name: 'tables',
    routes: [
      ...tableRoutes(platform),
      ...schemaRoutes(platform),
      ...snapshotRoutes(platform),
      ...readingRoutes(platform),
    ],
  }
}
