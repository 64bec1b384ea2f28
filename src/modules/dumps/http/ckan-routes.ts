import { parseTableIdentifier } from '../../../core/table/table-name.ts'
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
      permission: 'in-use-case',
      summary: 'Download the table, as from CKAN’s DataStore',
      description:
        'The table of that identifier, or the one whose property `moraine.ckan-resource-id` it ' +
        'is. The same file as `/v1/tables/{table_identifier}/dump`: one snapshot, always whole, ' +
        'without `limit` and `offset`. JSON, TSV and XML are as CKAN writes them; `bom=true` ' +
        'begins CSV and TSV with a byte order mark, as CKAN’s own links ask for.',
      query: CkanDumpQuery,
      answers: DUMP_ANSWERS,
      problems: [...DUMP_PROBLEMS, 'precondition-required'],
      curl: 'curl -fLOJ "$MORAINE/datastore/dump/flights?format=csv"',
    },
    async (call) => {
      const { format, bom, redirect } = call.query
      const table = await tableOf(service, call.param('table_identifier'))
      await call.authorize('select', [{ on: 'table', name: table }], 'filtered')
      const choice = { table, format, compression: 'none', bom, redirect } as const
      return answerDump(service, call, await findDump(service, call, choice))
    },
  )

async function tableOf({ catalog }: DumpService, identifier: string): Promise<string> {
  const named = await catalog.tables.find(parseTableIdentifier(identifier))
  if (named !== undefined) return identifier
  return (await catalog.tables.findByResource(identifier)) ?? identifier
}

export function ckanRoutes(service: DumpService): readonly Route[] {
  return [dump(service)]
}
