import type { Stores } from '../../../catalog/catalog.ts'
import type { DatasetRecord } from '../../../catalog/dataset-store.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import type { Tag } from '../../../http/route.ts'
import type { QueryLimits } from '../../rows/limits/query-limits.ts'
import type { RowsDependencies } from '../../rows/query-source.ts'
import { datasetToJson, pathOf, signposts } from '../dataset-response.ts'
import type { NamedDataset } from '../find-dataset.ts'
import type { MakeDependencies } from '../make-dataset.ts'

export type DatasetService = MakeDependencies &
  Stores<'jobs'> &
  RowsDependencies & { readonly limits: QueryLimits }

export const DATASETS_TAG: Tag = {
  name: 'datasets',
  description: 'Snapshots that are frozen, and can be cited.',
}
export const DATASET_PARAMETERS = {
  dataset: 'The name of a dataset: its newest version.',
  version: 'The number of a version, from 1 on.',
}
export const HEADERS = {
  Location: 'The permanent address of the dataset.',
  Link: 'Signposts: `cite-as`, `describedby`, `item`, `license`, `author`, `type`.',
}
export const GONE = ['dataset-not-found', 'dataset-gone'] as const
/** For routes that need its rows. */
export const UNREADY_PROBLEMS = [...GONE, 'dataset-not-ready'] as const
export const NEWEST = '/v1/datasets/{dataset}'
export const PINNED = '/v1/datasets/{dataset}/{version}'

/** An address of one dataset: of the newest version, or of one that is named. */
export interface DatasetForm {
  readonly path: typeof NEWEST | typeof PINNED
  /** Ends the operation ids. */
  readonly suffix: '' | 'Version'
  readonly which: string
  readonly curl: string
  namedBy(call: { param(name: 'dataset' | 'version'): string }): NamedDataset
}

export const DATASET_FORMS: readonly DatasetForm[] = [
  {
    ...{ path: NEWEST, suffix: '', which: 'newest version of a dataset' },
    curl: '$MORAINE/v1/datasets/flights-2024',
    namedBy: ({ param }) => ({ dataset: param('dataset') }),
  },
  {
    ...{ path: PINNED, suffix: 'Version', which: 'given version of a dataset' },
    curl: '$MORAINE/v1/datasets/flights-2024/1',
    namedBy: ({ param }) => ({ dataset: param('dataset'), version: param('version') }),
  },
]

/** What the routes of one dataset have in common. */
export const OF_DATASET = {
  parameters: DATASET_PARAMETERS,
  tag: DATASETS_TAG,
  permission: 'in-use-case',
} as const

export function datasetReply(
  service: DatasetService,
  dataset: DatasetRecord,
  status: number,
): Reply {
  const value = datasetToJson(dataset, service.ambient.nowMs())
  const headers = { Location: pathOf(dataset), Link: signposts(dataset) }
  return jsonReply(value, { status, headers })
}
