import type { Module } from '../module.ts'
import type { AnswerLater } from './answer-later.ts'
import { StatisticsOfColumns } from './column-statistics.ts'
import { diffRoutes } from './diff-routes.ts'
import { queryRoutes } from './query-routes.ts'
import { type LimitedDependencies, rowsRoutes } from './rows-routes.ts'
import { RowStreams } from './rows-stream.ts'
import { statisticsRoutes } from './statistics-routes.ts'

/** Looking at the rows of a table, and asking questions of them. */
export function rowsModule(
  platform: LimitedDependencies & { readonly answerLater: AnswerLater },
): Module {
  const streams = new RowStreams(platform)
  return {
    name: 'rows',
    routes: [
      ...rowsRoutes(platform, streams),
      ...queryRoutes(platform, streams),
      ...diffRoutes(platform, streams),
      ...statisticsRoutes(new StatisticsOfColumns(platform), { limits: platform.limits, streams }),
    ],
  }
}
