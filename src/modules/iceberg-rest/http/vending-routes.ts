import type { Stores } from '../../../catalog/catalog.ts'
import { foldersOf } from '../../../core/table/metadata-folder.ts'
import { jsonReply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import { getRestTable } from '../load-table.ts'
import { readRestrictionsFor } from '../read-restrictions.ts'
import { readSignRequest } from '../requests/sign-request-json.ts'
import { type AccessDependencies, credentialsOf } from '../vending/table-access.ts'
import { lentTo } from './asked-access.ts'
import { defineRestRoute, onRestTable, TABLE, tableName } from './rest-route.ts'
import { CredentialsAnswer, SignedRequestAnswer } from './shapes/rest-answer-shapes.ts'
import { SignRequest } from './shapes/rest-request-shapes.ts'

/** How engines get at the files of a table themselves. */
export function vendingRoutes(deps: Stores<'tables'> & AccessDependencies): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'get',
        path: `${TABLE}/credentials`,
        operationId: 'icebergLoadCredentials',
        permission: onRestTable('select', 'told'),
        summary: 'Get credentials for the files of a table',
        description:
          'An empty list for a table that is not in S3, or where the service gives none ' +
          '(MORAINE_VEND).',
        answers: [{ status: 200, description: 'One a folder.', shape: CredentialsAnswer }],
        problems: ['table-not-found', 'origin-not-allowed'],
      },
      async (call) => {
        call.requireOwnSite()
        const state = await getRestTable(asking(deps, call), tableName(call))
        readRestrictionsFor(state, call.policyOn)
        const credentials = await credentialsOf(deps, state, await lentTo(call, tableName(call)))
        const reply = jsonReply(
          { 'storage-credentials': credentials },
          { headers: { 'Cache-Control': 'no-store' } },
        )
        return { ...reply, isSecret: true }
      },
    ),
    defineRestRoute(
      {
        method: 'post',
        path: `${TABLE}/sign`,
        operationId: 'icebergSignRequest',
        permission: 'in-use-case',
        changesNothing: true,
        summary: 'Sign a request to the store of a table',
        description:
          'For engines that have no credentials: of a request below the folder of the table, to ' +
          'read, write, list or delete, returns the headers to add.',
        body: SignRequest,
        answers: [{ status: 200, description: 'Signed.', shape: SignedRequestAnswer }],
        problems: ['table-not-found', 'signature-refused', 'origin-not-allowed', 'update-invalid'],
      },
      async (call) => {
        call.requireOwnSite()
        const request = readSignRequest(call.body)
        const isReading = request.method === 'GET' || request.method === 'HEAD'
        const target = { on: 'table' as const, name: tableName(call) }
        if (isReading) await call.authorize('select', [target], 'told')
        else await call.authorize('modify', [target])
        const state = await getRestTable(asking(deps, call), target.name)
        if (isReading) readRestrictionsFor(state, call.policyOn)
        const signed = await deps.vending.sign(foldersOf(state.definition), request)
        const { uri, headers, isReusable } = signed
        const caching = { 'Cache-Control': isReusable ? 'private' : 'no-cache' }
        return { ...jsonReply({ uri, headers }, { headers: caching }), isSecret: true }
      },
    ),
  ]
}
