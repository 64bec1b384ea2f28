import type { AnswerLater } from '../../rows/answer-later.ts'
import { pathOf } from '../dataset-response.ts'
import { makeDataset, undescribed } from '../make-dataset.ts'
import { acceptedReply, requireMade } from '../wait-for-rows.ts'
import type { DatasetService } from './dataset-forms.ts'

/** The result of a query, as a dataset without a name of its client's. */
export function laterAnswer(service: DatasetService): AnswerLater {
  return async ({ table, selector, query, preferences, keeper }) => {
    const isWhole = Object.values(query).every((member) => member === undefined)
    const wish = undescribed({ source: table, selector, query: isWhole ? undefined : query })
    const kept = (name: string) =>
      keeper.withEffect({ status: 202, value: { name, url: `/v1/datasets/${name}` } })
    const { dataset } = await makeDataset(service, wish, kept)
    requireMade(dataset)
    const reply = acceptedReply(service, dataset, preferences)
    return { ...reply, headers: { ...reply.headers, 'Content-Location': pathOf(dataset) } }
  }
}
