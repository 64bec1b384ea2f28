import type { AnswerLater, LaterQuery } from '../../rows/answer-later.ts'
import { pathOf } from '../dataset-response.ts'
import { makeDataset, UNDESCRIBED } from '../make-dataset.ts'
import { makeSqlDataset } from '../sql-dataset.ts'
import { acceptedReply, requireMade } from '../wait-for-rows.ts'
import type { DatasetService } from './dataset-forms.ts'

/** The result of a query, as a dataset without a name of its client's. */
export function laterAnswer(service: DatasetService): AnswerLater {
  return async (asked) => {
    const { preferences, keeper } = asked
    const kept = (name: string) =>
      keeper.withEffect({ status: 202, value: { name, url: `/v1/datasets/${name}` } })
    const { dataset } = await ('sql' in asked
      ? makeSqlDataset(service, { ...UNDESCRIBED, sql: asked.sql }, kept)
      : makeDataset(service, wishOf(asked), kept))
    requireMade(dataset)
    const reply = acceptedReply(service, dataset, preferences)
    return { ...reply, headers: { ...reply.headers, 'Content-Location': pathOf(dataset) } }
  }
}

function wishOf({ table, selector, query }: Exclude<LaterQuery, { readonly sql: unknown }>) {
  const isWhole = Object.values(query).every((member) => member === undefined)
  return { ...UNDESCRIBED, source: table, selector, query: isWhole ? undefined : query }
}
