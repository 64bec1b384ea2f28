import { z } from 'zod'
import { onTable } from '../../../http/permission.ts'
import { jsonReply } from '../../../http/reply.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import { answerDump } from '../../dumps/http/dump-answer.ts'
import { DUMP_ANSWERS, DUMP_PROBLEMS } from '../../dumps/http/dump-docs.ts'
import { type DumpService, findDump } from '../../dumps/http/dump-resource.ts'
import { RowFilterText } from '../../rows/rows-shapes.ts'
import { datasetToJson } from '../dataset-response.ts'
import { DatasetAnswer, DatasetStatus } from '../dataset-shapes.ts'
import { findDataset, requireNotGone } from '../find-dataset.ts'
import { makeDataset, UNDESCRIBED } from '../make-dataset.ts'
import { RETRY_AFTER_SECONDS, statusReply } from '../wait-for-rows.ts'
import { DATASETS_TAG, type DatasetService, OF_DATASET } from './dataset-forms.ts'

type DataService = DatasetService & { dumpService(): DumpService }

const MaterialiseQuery = z.strictObject({
  materialise: z.enum(['true']).meta({ description: 'The rows become a dataset.' }),
  filter: RowFilterText.optional(),
})
const Materialised = z.strictObject({ dataset_url: z.string(), status_url: z.string() }).meta({
  id: 'MaterialisedRecords',
  example: {
    dataset_url: '/data/datasets/ds-9f86d081884c7d659a2feaa0',
    status_url: '/data/datasets/ds-9f86d081884c7d659a2feaa0/status',
  },
})

/** Addresses of an older service. */
export function dataRoutes(service: DataService): readonly Route[] {
  return [materialise(service), records(service), ...datasets(service)]
}

const materialise = (service: DataService) =>
  defineRoute(
    {
      method: 'post',
      path: '/data/{table_identifier}/records',
      operationId: 'materialiseRecords',
      tag: DATASETS_TAG,
      permission: onTable('select'),
      summary: 'Make a dataset of the rows of a table, as an older service did',
      description: 'As `POST /v1/datasets`, without a name; the response never waits.',
      query: MaterialiseQuery,
      answers: [
        {
          status: 202,
          description: 'It is being made, or there.',
          shape: Materialised,
          headers: { Location: 'Its status.', 'Retry-After': 'Seconds to wait.' },
        },
      ],
      problems: ['table-not-found', 'name-invalid', 'snapshot-not-found', 'filter-invalid'],
      curl: 'curl -X POST "$MORAINE/data/aviation.flights/records?materialise=true"',
    },
    async ({ param, query: { filter }, keeper }) => {
      const wish = {
        ...UNDESCRIBED,
        source: param('table_identifier'),
        selector: {},
        query: filter === undefined ? undefined : { filter },
      }
      const replyTo = (name: string) => {
        const dataset_url = `/data/datasets/${name}`
        const value = { dataset_url, status_url: `${dataset_url}/status` }
        const retry = { 'Retry-After': String(RETRY_AFTER_SECONDS) }
        return { status: 202, headers: { Location: value.status_url, ...retry }, value }
      }
      const { dataset } = await makeDataset(service, wish, (name) =>
        keeper.withEffect(replyTo(name)),
      )
      const { value, ...rest } = replyTo(dataset.name)
      return jsonReply(value, rest)
    },
  )

const records = (service: DataService) =>
  defineRoute(
    {
      method: 'get',
      path: '/data/{table_identifier}/records.csv.gz',
      operationId: 'downloadRecords',
      tag: DATASETS_TAG,
      permission: onTable('select'),
      summary: 'Download the rows of a table, as an older service gave them',
      description: 'As `/v1/tables/{table_identifier}/dump?format=csv&compression=gzip`.',
      answers: DUMP_ANSWERS,
      problems: [...DUMP_PROBLEMS, 'precondition-required'],
      curl: 'curl -fLOJ $MORAINE/data/aviation.flights/records.csv.gz',
    },
    async (call) => {
      const dumps = service.dumpService()
      const choice = { format: 'csv', compression: 'gzip' } as const
      return answerDump(dumps, call, await findDump(dumps, call, choice))
    },
  )

function datasets(service: DataService): readonly Route[] {
  const path = '/data/datasets/{dataset}'
  const get = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'get', path, operationId: 'getDataDataset' },
      summary: 'Get a dataset, at the address of an older service',
      answers: [{ status: 200, description: 'The dataset.', shape: DatasetAnswer }],
      problems: ['dataset-not-found', 'dataset-gone'],
      curl: 'curl $MORAINE/data/datasets/flights-2024',
    },
    async (call) => {
      const dataset = await findDataset(service, { dataset: call.param('dataset') }, call)
      const nowMs = service.ambient.nowMs()
      requireNotGone(dataset, nowMs)
      return jsonReply(datasetToJson(dataset, nowMs))
    },
  )
  const status = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'get', path: `${path}/status` as typeof path },
      operationId: 'getDataDatasetStatus',
      summary: 'Get the status of a dataset, at the address of an older service',
      answers: [{ status: 200, description: 'How far it is.', shape: DatasetStatus }],
      problems: ['dataset-not-found'],
      curl: 'curl $MORAINE/data/datasets/flights-2024/status',
    },
    (call) => statusReply(service, { dataset: call.param('dataset') }, call),
  )
  return [get, status]
}
