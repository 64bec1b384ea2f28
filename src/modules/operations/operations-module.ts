import type { Route } from '../../http/route.ts'
import type { Module } from '../module.ts'
import { type OperationsDependencies, operatorRoutes } from './operator-routes.ts'
import { Pages } from './pages.ts'

/** Health, metrics and documents. `routes` are all that the service has. */
export function operationsModule(
  platform: Omit<OperationsDependencies, 'pages'>,
  routes: () => readonly Route[],
): Module {
  const { catalog, metrics } = platform
  return {
    name: 'operations',
    routes: operatorRoutes({ catalog, metrics, pages: new Pages(routes) }),
  }
}
