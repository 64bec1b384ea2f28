import { z } from 'zod'
import { jsonReply } from '../../../http/reply.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import { FINDING_PROBLEMS } from '../../dumps/http/dump-docs.ts'
import type { OnRead, QueryLimits } from '../../rows/limits/query-limits.ts'
import { pathOf } from '../dataset-response.ts'
import { type FindDependencies, getReadyDataset } from '../find-dataset.ts'
import { DIFFERING_MAX, type VerifyDependencies, verifyDataset } from '../verify-dataset.ts'
import { DATASET_FORMS, OF_DATASET, UNREADY_PROBLEMS } from './dataset-forms.ts'

const DatasetVerification = z
  .strictObject({
    dataset_url: z.string(),
    reproduced: z
      .boolean()
      .nullable()
      .meta({
        description:
          'null: the table, or its snapshot, is gone, so that nothing can be run again; ' +
          'the files of the dataset are as they were.',
      }),
    files: z.int().meta({ description: 'Data files that were looked at.' }),
    differing: z
      .array(z.string())
      .max(DIFFERING_MAX)
      .meta({ description: 'Files that are not as they were; the first 100.' }),
  })
  .meta({
    id: 'DatasetVerification',
    example: {
      dataset_url: '/v1/datasets/flights-2024/1',
      reproduced: true,
      files: 4,
      differing: [],
    },
  })

type VerifyService = FindDependencies & VerifyDependencies & { readonly limits: QueryLimits }

export function verifyRoutes(service: VerifyService): readonly Route[] {
  return DATASET_FORMS.map(({ path, suffix, which, curl, namedBy }) =>
    defineRoute(
      {
        ...{ ...OF_DATASET, method: 'post', path: `${path}/verify` as typeof path },
        operationId: `verifyDataset${suffix}`,
        summary: `Verify the ${which}`,
        description:
          'Takes the snapshot of the source again: it must have the very files that the dataset ' +
          'has, and each must be there with its size. The query of a dataset is run again, and ' +
          'must give its very rows.',
        changesNothing: true,
        standingHeaders: service.limits.headers,
        answers: [{ status: 200, description: 'What came out.', shape: DatasetVerification }],
        problems: [
          ...FINDING_PROBLEMS,
          ...UNREADY_PROBLEMS,
          ...(['metadata-corrupt', 'location-not-allowed'] as const),
          ...(['quota-exceeded', 'query-too-costly'] as const),
        ],
        curl: `curl -X POST ${curl}/verify`,
      },
      async (call) => {
        const dataset = await getReadyDataset(service, { ...namedBy(call), isExact: true }, call)
        const verify = (onRead: OnRead) =>
          verifyDataset(service, dataset, { signal: call.closed, onRead })
        // A whole snapshot has no query, and each of its files is looked at.
        const { value, headers } = await service.limits.inTurn(call, 0, verify)
        const { isReproduced, files, differing } = value
        const reproduced = isReproduced ?? null
        const verified = { dataset_url: pathOf(dataset), reproduced, files, differing }
        return jsonReply(verified, { headers })
      },
    ),
  )
}
