import type { z } from 'zod'
import {
  type DatasetCard,
  type DatasetRecord,
  isUnfinished,
} from '../../../catalog/dataset-store.ts'
import type { KeptWithEffect } from '../../../core/replay.ts'
import type { Reply } from '../../../http/reply.ts'
import {
  type Call,
  defineRoute,
  type KeptFacts,
  type RepeatedCall,
  type Route,
} from '../../../http/route.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { type Asker, requireOwnPublished } from '../dataset-names.ts'
import { pathOf } from '../dataset-response.ts'
import { DatasetAnswer, DeleteDatasetQuery, DescribeDatasetRequest } from '../dataset-shapes.ts'
import { endDataset } from '../end-dataset.ts'
import {
  findDataset,
  getReadyDataset,
  madeOf,
  type NamedDataset,
  notFound,
  requireNotGone,
  sourceNamed,
} from '../find-dataset.ts'
import { stopRows, withdrawDataset } from '../withdraw-dataset.ts'
import {
  DATASET_FORMS,
  type DatasetForm,
  type DatasetService,
  datasetReply,
  GONE,
  OF_DATASET,
  PINNED,
  UNREADY_PROBLEMS,
} from './dataset-forms.ts'

function changingRoutes(service: DatasetService, form: DatasetForm): readonly Route[] {
  const { path, suffix, which, curl, namedBy } = form
  const end = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'delete', path, operationId: `deleteDataset${suffix}` },
      summary: `Delete the ${which}`,
      description:
        'Needs `own` on its source, or on itself once it is published. Its card stays, and is ' +
        'what `dataset-gone` shows. Files that nothing else names are deleted after the grace. ' +
        'Whoever asked for one whose rows are still to be made cancels that, without `own`: it ' +
        'has `failed` then with `dataset-cancelled`, unless somebody else waits for it, too. One ' +
        'that is published may be cited: it takes `confirm`, too.',
      query: DeleteDatasetQuery,
      answers: [{ status: 200, description: 'What it was.', shape: DatasetAnswer }],
      problems: [...GONE, 'dataset-published'],
      curl: `curl -X DELETE ${curl}`,
    },
    async (call) => {
      const named = namedBy(call)
      const asking = { ...call, privilege: 'own' } as const
      let dataset: DatasetRecord
      try {
        dataset = await findDataset(service, named, asking)
      } catch (refusal) {
        return againReply(service, await withdrawDataset(service, { named, refusal }, call))
      }
      requireNotGone(dataset, service.ambient.nowMs())
      requireConfirmed(dataset, call.query.confirm)
      await endDataset(service, dataset, { keep: keepOf(call, dataset) })
      if (isUnfinished(dataset)) await stopRows(service, dataset)
      return againReply(service, dataset)
    },
    changedAgain(service),
  )

  const publish = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'post', path: `${path}/publish` },
      operationId: `publishDataset${suffix}`,
      summary: `Publish the ${which}`,
      description:
        'From then on it lives for ever, and has privileges of its own: who publishes it owns ' +
        'it, and gives others `select` on its table (`POST /v1/tables/{table}/permissions`). ' +
        'Needs `own` on its source. A published dataset stays as it is.',
      answers: [{ status: 200, description: 'It is published.', shape: DatasetAnswer }],
      problems: [...UNREADY_PROBLEMS, 'dataset-name-taken'],
      curl: `curl -X POST ${curl}/publish`,
    },
    async (call) => {
      const dataset = await getPublishable(service, namedBy(call), call)
      const keep = keepOf(call, dataset)
      const { tableUuid } = dataset
      const publication = { tableUuid, nowMs: service.ambient.nowMs() }
      const outcome = await service.catalog.datasets.publish(publication, keep)
      if (outcome === 'changed') return againReply(service, dataset)
      // Since it was looked at it has ended, or somebody else has published it.
      const pinned = { dataset: dataset.name, version: String(dataset.version) }
      const now = await findDataset(service, pinned, call)
      requireNotGone(now, service.ambient.nowMs())
      return datasetReply(service, now, 200)
    },
    changedAgain(service),
  )
  return [end, publish]
}

/** Whoever deletes what others may cite says its name. Throws `dataset-published`. */
function requireConfirmed(dataset: DatasetRecord, confirm: string | undefined): void {
  const { name, publishedAtMs } = dataset
  if (publishedAtMs === undefined || confirm === name) return
  const detail =
    `${pathOf(dataset)} is published, and whoever cites it would find no rows: to delete it ` +
    `all the same, ask with confirm=${name}`
  throw new ProblemError('dataset-published', detail, { facts: { dataset: name, confirm: name } })
}

/**
 * For one who owns its source, and what was published by its name before; one that is published
 * stays as it is.
 */
async function getPublishable(
  service: DatasetService,
  named: NamedDataset,
  asker: Asker,
): Promise<DatasetRecord> {
  const dataset = await getReadyDataset(service, { ...named, isExact: true }, asker)
  if (dataset.publishedAtMs === undefined) {
    await sourceNamed(dataset, asker.authorize('own', madeOf(dataset)))
    await requireOwnPublished(service, dataset.name, asker)
  }
  return dataset
}

async function getByUuid({ catalog }: DatasetService, tableUuid: string): Promise<DatasetRecord> {
  const dataset = await catalog.datasets.find({ tableUuid })
  if (dataset === undefined) throw notFound(tableUuid, undefined)
  return dataset
}

/** The dataset after a change. */
async function againReply(service: DatasetService, { tableUuid }: DatasetRecord): Promise<Reply> {
  return datasetReply(service, await getByUuid(service, tableUuid), 200)
}

/** Keeps facts from which a repeated request is answered. */
function keepOf(
  { keeper }: Pick<Call<unknown, unknown>, 'keeper'>,
  { tableUuid }: DatasetRecord,
): KeptWithEffect {
  return keeper.withEffect({ status: 200, from: { tableUuid }, isProvisional: true })
}

function changedAgain(service: DatasetService) {
  return async (from: KeptFacts, { authorize }: RepeatedCall): Promise<Reply> => {
    const dataset = await getByUuid(service, String(from['tableUuid']))
    await sourceNamed(dataset, authorize('select', madeOf(dataset)))
    return datasetReply(service, dataset, 200)
  }
}

const describe = (service: DatasetService) =>
  defineRoute(
    {
      ...{ ...OF_DATASET, method: 'patch', path: PINNED, operationId: 'describeDatasetVersion' },
      summary: 'Correct the texts of a version of a dataset',
      description:
        'Title, description, creators, licence and keywords; members that are left out stay, and ' +
        'null takes one out. Its rows never change, and its documents and citations have the new ' +
        'texts at once. Needs `own` on its source, or on itself once it is published; the audit ' +
        'has what the texts were.',
      body: DescribeDatasetRequest,
      answers: [{ status: 200, description: 'It says so.', shape: DatasetAnswer }],
      problems: ['dataset-not-found', 'dataset-gone'],
      curl:
        "curl -X PATCH $MORAINE/v1/datasets/flights-2024/1 -H 'Content-Type: application/json' " +
        `-d '{"title":"Flights of 2024"}'`,
    },
    async (call) => {
      const named = { dataset: call.param('dataset'), version: call.param('version') }
      const dataset = await findDataset(service, named, { ...call, privilege: 'own' })
      requireNotGone(dataset, service.ambient.nowMs())
      const keep = keepOf(call, dataset)
      const { tableUuid } = dataset
      const correction = { tableUuid, card: given(call.body) }
      return datasetReply(service, await service.catalog.datasets.describe(correction, keep), 200)
    },
    changedAgain(service),
  )

type Given = z.output<typeof DescribeDatasetRequest>

/** Without members that are `undefined`. */
function given(texts: Given): Partial<DatasetCard> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined))
}

/** Routes that change datasets. */
export function datasetChangeRoutes(service: DatasetService): readonly Route[] {
  return [describe(service), ...DATASET_FORMS.flatMap((form) => changingRoutes(service, form))]
}
