import { givenSelectors } from '../../../http/common-shapes.ts'
import { onTable } from '../../../http/permission.ts'
import { acceptDatetime } from '../../../http/preconditions.ts'
import type { Reply } from '../../../http/reply.ts'
import { type AnswerDoc, defineRoute, type Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import { findMemento } from '../../../lake/table/memento.ts'
import { getTable } from '../../../lake/table/table-lookup.ts'
import { answerDump } from './dump-answer.ts'
import { answerDigest } from './dump-digest-answer.ts'
import {
  DUMP_ANSWERS,
  DUMP_DESCRIPTION,
  DUMP_PROBLEMS,
  DUMPS_TAG,
  FINDING_PROBLEMS,
  MOVING_PROBLEMS,
} from './dump-docs.ts'
import {
  type Choice,
  chooseFormat,
  type DumpCall,
  type DumpService,
  findDump,
  findDumpAt,
  pinnedPath,
} from './dump-resource.ts'
import {
  DigestLine,
  DumpStatusAnswer,
  MovingChoiceQuery,
  MovingDumpQuery,
  PinnedChoiceQuery,
  PinnedDumpQuery,
} from './dump-shapes.ts'
import { answerStatus } from './dump-status.ts'

const dump = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/dump',
      operationId: 'dumpTable',
      tag: DUMPS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Download the table as one file, as of now or of any moment',
      description:
        `${DUMP_DESCRIPTION}\n\n` +
        'This address moves with the table. `Content-Location` is the permanent address of the ' +
        'same bytes: resume there. A Range here needs `If-Range` or `If-Match` (otherwise the ' +
        'response is 428), so that halves of two snapshots are never joined.',
      query: MovingDumpQuery,
      answers: DUMP_ANSWERS,
      problems: [...DUMP_PROBLEMS, ...MOVING_PROBLEMS, 'precondition-required'],
      curl: 'curl -fLOJ "$MORAINE/v1/tables/aviation.flights/dump?format=csv&as_at=2024-03-17"',
    },
    async (call) => {
      const format = chooseFormat(call.query.format, call.accepts)
      const choice = { ...call.query, format }
      const secondMs = acceptDatetime(call.request.headers)
      if (secondMs !== undefined && givenSelectors(choice).length === 0) {
        return mementoReply(asking(service, call), call, { choice, secondMs })
      }
      return answerDump(service, call, await findDump(service, call, choice))
    },
  )

/** Leads to the dump of the snapshot that was current in the second (RFC 7089). */
async function mementoReply(
  service: DumpService,
  call: DumpCall,
  { choice, secondMs }: { readonly choice: Choice; readonly secondMs: number },
): Promise<Reply> {
  const state = await getTable(service.catalog, call.param('table_identifier'))
  const found = await findMemento(service, state, secondMs)
  const snapshot_id = found === undefined ? undefined : String(found.snapshotId)
  const { target } = await findDump(service, call, { ...choice, snapshot_id })
  const headers = { Location: pinnedPath(target), Vary: 'Accept-Datetime, Accept, Origin' }
  return { status: 302, headers: { ...headers, 'Cache-Control': 'private, no-cache' } }
}

const dumpAt = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/{snapshot_identifier}/dump',
      operationId: 'dumpSnapshot',
      tag: DUMPS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Download a snapshot as one file',
      description: `${DUMP_DESCRIPTION}

The rows of a snapshot never change, so downloads can be resumed and split. \`Content-Location\`
adds the \`edition\`, which names these very bytes: it is 410 once the snapshot is read in another
way, for instance by another \`schema.name-mapping.default\`.`,
      query: PinnedDumpQuery,
      answers: DUMP_ANSWERS,
      problems: [...DUMP_PROBLEMS, 'precondition-required'],
      curl:
        'curl -fL -C - -o flights.csv ' +
        '"$MORAINE/v1/tables/aviation.flights/4853267719093551/dump?format=csv"',
    },
    async (call) => {
      const format = chooseFormat(call.query.format, call.accepts)
      return answerDump(service, call, await findDumpAt(service, call, { ...call.query, format }))
    },
  )

const DIGEST_ANSWERS: readonly AnswerDoc[] = [
  { status: 200, description: 'The digest.', shape: DigestLine, mediaType: 'text/plain' },
]
const DIGEST_DESCRIPTION =
  'Waits up to a minute for the dump, then returns 503: ask again. The line names the file as ' +
  'the download does.'

const digest = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/dump.sha256',
      operationId: 'digestDump',
      tag: DUMPS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Get the SHA-256 of a dump',
      description: DIGEST_DESCRIPTION,
      query: MovingChoiceQuery,
      answers: DIGEST_ANSWERS,
      problems: [...FINDING_PROBLEMS, ...MOVING_PROBLEMS, 'dump-not-ready'],
      curl: 'curl -f "$MORAINE/v1/tables/aviation.flights/dump.sha256?format=csv" | sha256sum -c',
    },
    async (call) => answerDigest(service, call, await findDump(service, call, call.query)),
  )

const digestAt = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/{snapshot_identifier}/dump.sha256',
      operationId: 'digestSnapshotDump',
      tag: DUMPS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Get the SHA-256 of a snapshot’s dump',
      description: DIGEST_DESCRIPTION,
      query: PinnedChoiceQuery,
      answers: DIGEST_ANSWERS,
      problems: [...FINDING_PROBLEMS, 'dump-not-ready'],
      curl:
        'curl -f $MORAINE/v1/tables/aviation.flights/4853267719093551/dump.sha256 ' +
        '| sha256sum -c',
    },
    async (call) => answerDigest(service, call, await findDumpAt(service, call, call.query)),
  )

const STATUS_ANSWERS: readonly AnswerDoc[] = [
  { status: 200, description: 'The state of the dump.', shape: DumpStatusAnswer },
]
const STATUS_MEANING =
  'Starts nothing. A finished dump has its length, its digest, and the earlier dump that it ' +
  'extends: with the file `extends.file_name`, resume at `url` to download only ' +
  'the new rows:'
const STATUS_DESCRIPTION = `${STATUS_MEANING}

\`\`\`
mv <extends.file_name> <file_name>
curl -fL -C - -o <file_name> "$MORAINE<url>"
\`\`\``

const status = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/dump/status',
      operationId: 'dumpStatus',
      tag: DUMPS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Get the status of a dump, and what it extends',
      description: STATUS_DESCRIPTION,
      query: MovingChoiceQuery,
      answers: STATUS_ANSWERS,
      problems: [...FINDING_PROBLEMS, ...MOVING_PROBLEMS],
      curl: 'curl "$MORAINE/v1/tables/aviation.flights/dump/status?format=csv"',
    },
    async (call) => answerStatus(service, call, await findDump(service, call, call.query)),
  )

const statusAt = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/{snapshot_identifier}/dump/status',
      operationId: 'snapshotDumpStatus',
      tag: DUMPS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Get the status of a snapshot’s dump, and what it extends',
      description: STATUS_DESCRIPTION,
      query: PinnedChoiceQuery,
      answers: STATUS_ANSWERS,
      problems: FINDING_PROBLEMS,
      curl: 'curl "$MORAINE/v1/tables/aviation.flights/4853267719093551/dump/status?format=csv"',
    },
    async (call) => answerStatus(service, call, await findDumpAt(service, call, call.query)),
  )

export function dumpRoutes(service: DumpService): readonly Route[] {
  return [
    dump(service),
    dumpAt(service),
    digest(service),
    digestAt(service),
    status(service),
    statusAt(service),
  ]
}
