import type { Module } from '../module.ts'
import type { AnswerLater } from './answer-later.ts'
import { StatisticsOfColumns } from './column-statistics.ts'
import { diffRoutes } from './diff-routes.ts'
import { QueryLimits, type QueryLimitsDependencies } from './query-limits.ts'
import { queryRoutes } from './query-routes.ts'
import type { RowsDependencies } from './query-source.ts'
import { rowsRoutes } from './rows-routes.ts'
import { statisticsRoutes } from './statistics-routes.ts'

/** Looking at the rows of a table, and asking questions of them. */
export function rowsModule(
  platform: RowsDependencies & QueryLimitsDependencies & { readonly answerLater: AnswerLater },
): Module {
  const limits = new QueryLimits(platform)
  const limited = { ...platform, limits }
  return {
    name: 'rows',
    routes: [
      ...rowsRoutes(limited),
      ...queryRoutes(limited),
      ...diffRoutes(limited),
      ...statisticsRoutes(new StatisticsOfColumns(platform), limits),
    ],
  }
}
