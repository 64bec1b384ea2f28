import type { z } from 'zod'
import type { Stores } from '../../../catalog/catalog.ts'
import { type Call, defineRoute, type Route } from '../../../http/route.ts'
import { answerDump } from '../../dumps/http/dump-answer.ts'
import { DUMP_ANSWERS, DUMP_PROBLEMS } from '../../dumps/http/dump-docs.ts'
import {
  chooseFormat,
  type DumpService,
  findDumpAt,
  pinnedCall,
} from '../../dumps/http/dump-resource.ts'
import { PinnedDumpQuery } from '../../dumps/http/dump-shapes.ts'
import {
  type FindDependencies,
  getReadyDataset,
  type NamedDataset,
  ownSnapshotOf,
} from '../find-dataset.ts'
import { DATASET_FORMS, OF_DATASET, UNREADY_PROBLEMS } from './dataset-forms.ts'

export type DownloadService = FindDependencies & Stores<'tables'> & { dumpService(): DumpService }

const PROBLEMS = [...DUMP_PROBLEMS, ...UNREADY_PROBLEMS, 'precondition-required'] as const
const DESCRIPTION =
  'The dump of its hidden table, with all that dumps have: ranges, ETag, digest, `Prefer`. ' +
  '`Content-Location` is the permanent address of the bytes.'

export function downloadRoutes(service: DownloadService): readonly Route[] {
  return DATASET_FORMS.map(({ path, suffix, which, curl, namedBy }) =>
    defineRoute(
      {
        ...{ ...OF_DATASET, method: 'get', path: `${path}/download` },
        operationId: `downloadDataset${suffix}`,
        summary: `Download the ${which} as one file`,
        description: DESCRIPTION,
        query: PinnedDumpQuery,
        answers: DUMP_ANSWERS,
        problems: PROBLEMS,
        curl: `curl -fLOJ "${curl}/download?format=csv"`,
      },
      (call) => download(service, call, namedBy(call)),
    ),
  )
}

/** Whoever downloads is asked each time whether they may. */
async function download(
  service: DownloadService,
  call: Omit<Call<z.output<typeof PinnedDumpQuery>, unknown>, 'param'>,
  named: NamedDataset,
) {
  const dataset = await getReadyDataset(service, named, call)
  const { tableUuid } = dataset
  const snapshotId = await ownSnapshotOf(service, dataset)
  const dumps = service.dumpService()
  const { accepts, query } = call
  const dumpCall = pinnedCall(call, { tableUuid, snapshotId })
  const format = chooseFormat(query.format, accepts)
  const resource = await findDumpAt(dumps, dumpCall, { ...query, format })
  return answerDump(dumps, dumpCall, { ...resource, isMoving: named.version === undefined })
}
