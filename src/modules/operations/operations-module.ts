import type { Dialect } from '../../http/dialect.ts'
import type { Module } from '../module.ts'
import { type OperationsDependencies, operatorRoutes } from './operator-routes.ts'
import { Pages } from './pages.ts'

/** Health, metrics and documents. `dialects` are all that the service speaks. */
export function operationsModule(
  platform: Omit<OperationsDependencies, 'pages'>,
  dialects: () => readonly Dialect[],
): Module {
  const { catalog, metrics } = platform
  return {
    name: 'operations',
    routes: operatorRoutes({ catalog, metrics, pages: new Pages(dialects) }),
  }
}
