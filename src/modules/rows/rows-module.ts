import type { Module } from '../module.ts'
import type { AnswerLater } from './answer-later.ts'
import { StatisticsOfColumns } from './column-statistics.ts'
import { diffRoutes } from './diff-routes.ts'
import { queryRoutes } from './query-routes.ts'
import { type LimitedDependencies, rowsRoutes } from './rows-routes.ts'
import { statisticsRoutes } from './statistics-routes.ts'

/** Looking at the rows of a table, and asking questions of them. */
export function rowsModule(
  platform: LimitedDependencies & { readonly answerLater: AnswerLater },
): Module {
  return {
    name: 'rows',
    routes: [
      ...rowsRoutes(platform),
      ...queryRoutes(platform),
      ...diffRoutes(platform),
      ...statisticsRoutes(new StatisticsOfColumns(platform), platform.limits),
    ],
  }
}
