import type { Module } from '../module.ts'
import { queryRoutes } from './query-routes.ts'
import type { RowsDependencies } from './query-source.ts'
import { rowsRoutes } from './rows-routes.ts'

/** Looking at the rows of a table, and asking questions of them. */
export function rowsModule(platform: RowsDependencies): Module {
  return { name: 'rows', routes: [...rowsRoutes(platform), ...queryRoutes(platform)] }
}
