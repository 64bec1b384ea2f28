import type { Dialect } from '../../http/dialect.ts'
import type { Module } from '../module.ts'
import { type OperationsDependencies, operatorRoutes } from './operator-routes.ts'
import { Pages } from './pages.ts'

export interface OperationsPlatform extends Omit<OperationsDependencies, 'pages'> {
  /** All protocols of the service; called when a page is requested. */
  dialects(): readonly Dialect[]
}

/** Health, metrics and API documents. */
export function operationsModule(platform: OperationsPlatform): Module {
  const { catalog, requireWarehouse, metrics, dialects } = platform
  return {
    name: 'operations',
    routes: operatorRoutes({ catalog, requireWarehouse, metrics, pages: new Pages(dialects) }),
  }
}
