import { onTable } from '../../../http/permission.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import { answerDump } from './dump-answer.ts'
import { DUMP_ANSWERS, DUMP_PROBLEMS, DUMPS_TAG } from './dump-docs.ts'
import { type DumpService, findDump } from './dump-resource.ts'
import { CkanDumpQuery } from './dump-shapes.ts'

const dump = (service: DumpService) =>
  defineRoute(
    {
      method: 'get',
      path: '/datastore/dump/{table_identifier}',
      operationId: 'ckanDump',
      tag: DUMPS_TAG,
      permission: onTable('select'),
      summary: 'Download the table, as from CKAN’s DataStore',
      description:
        'The same file as `/v1/tables/{table_identifier}/dump`: one snapshot, always whole, ' +
        'without `limit` and `offset`. JSON, TSV and XML are as CKAN writes them; `bom=true` ' +
        'begins CSV and TSV with a byte order mark, as CKAN’s own links ask for.',
      query: CkanDumpQuery,
      answers: DUMP_ANSWERS,
      problems: [...DUMP_PROBLEMS, 'precondition-required'],
      curl: 'curl -fLOJ "$MORAINE/datastore/dump/flights?format=csv"',
    },
    async (call) => {
      const { format, bom, redirect } = call.query
      return answerDump(
        service,
        call,
        await findDump(service, call, { format, compression: 'none', bom, redirect }),
      )
    },
  )

export function ckanRoutes(service: DumpService): readonly Route[] {
  return [dump(service)]
}
