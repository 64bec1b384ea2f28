import type { CreatedDataset } from '../../../catalog/dataset-store.ts'
import type { AnswerLater, LaterQuery } from '../../rows/answer-later.ts'
import { pathOf } from '../dataset-response.ts'
import { type KeptOf, makeDataset, UNDESCRIBED } from '../make-dataset.ts'
import { makeInTurn } from '../make-in-turn.ts'
import { makeSqlDataset } from '../sql-dataset.ts'
import { acceptedReply, requireMade } from '../wait-for-rows.ts'
import type { DatasetService } from './dataset-forms.ts'

/** The result of a query, as a dataset without a name of its client's. */
export function laterAnswer(service: DatasetService): AnswerLater {
  return async (asked) => {
    const { preferences, keeper } = asked
    const kept: KeptOf = ({ name }) =>
      keeper.withEffect({ status: 202, value: { name, url: `/v1/datasets/${name}` } })
    const { dataset } = await made(service, asked, kept)
    requireMade(dataset)
    const reply = acceptedReply(service, dataset, preferences)
    return { ...reply, headers: { ...reply.headers, 'Content-Location': pathOf(dataset) } }
  }
}

async function made(
  service: DatasetService,
  later: LaterQuery,
  kept: KeptOf,
): Promise<CreatedDataset> {
  if ('sql' in later) {
    const { sql } = later
    return makeInTurn(service, later, (asked) =>
      makeSqlDataset(service, { ...UNDESCRIBED, asker: later.call, asked, sql }, kept),
    )
  }
  const { table, selector, query } = later
  const wish = { ...UNDESCRIBED, asker: later.call, source: table, selector }
  const isWhole = Object.values(query).every((member) => member === undefined)
  return isWhole
    ? makeDataset(service, { ...wish, query: undefined }, kept)
    : makeInTurn(service, later, (asked) => makeDataset(service, { ...wish, asked, query }, kept))
}
