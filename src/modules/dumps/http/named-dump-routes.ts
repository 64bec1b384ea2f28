import type { z } from 'zod'
import { CatalogError } from '../../../core/errors.ts'
import { parseTableIdentifier } from '../../../core/table/table-name.ts'
import { onTable } from '../../../http/permission.ts'
import type { Reply } from '../../../http/reply.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import { DUMP_FORMATS, type DumpFormat } from '../format/dump-index.ts'
import { DUMP_PROBLEMS, DUMPS_TAG, MOVING_PROBLEMS } from './dump-docs.ts'
import {
  type DumpCall,
  type DumpResource,
  type DumpService,
  findDump,
  pinnedPath,
} from './dump-resource.ts'
import { NamedDumpQuery } from './dump-shapes.ts'
import { notReady, openDump, waitForIndex } from './open-bytes.ts'

const OPERATIONS: Readonly<Record<DumpFormat, string>> = {
  csv: 'openCsvFile',
  ndjson: 'openNdjsonFile',
  parquet: 'openParquetFile',
  arrow: 'openArrowFile',
  tsv: 'openTsvFile',
  json: 'openJsonFile',
  xml: 'openXmlFile',
}

const NAMES: Readonly<Record<DumpFormat, string>> = {
  csv: 'CSV',
  ndjson: 'NDJSON',
  parquet: 'Parquet',
  arrow: 'Arrow',
  tsv: 'TSV',
  json: 'JSON',
  xml: 'XML',
}

/** A table as a file with an address that ends as the file does, which is all that readers need. */
export function namedDumpRoutes(service: DumpService): readonly Route[] {
  return DUMP_FORMATS.map((format) =>
    defineRoute(
      {
        method: 'get',
        path: `/v1/tables/{table_identifier}/{file_name}.${format}` as const,
        operationId: OPERATIONS[format],
        tag: DUMPS_TAG,
        permission: onTable('select'),
        summary: `Open the table as a ${NAMES[format]} file by its name`,
        description:
          'For `pl.read_parquet(url)`, `pd.read_csv(url)`, DuckDB and browsers, which tell a ' +
          'file by its address: redirects to the permanent address of the dump of now, or of ' +
          '`as_at`. `HEAD`, and a request with `Range`, wait up to a minute until the dump is ' +
          'made, since only then its length is known. Readers that ask here for one range after ' +
          'the other may meet two snapshots when the table changes in between: give them the ' +
          'address that this one leads to.',
        parameters: { file_name: 'The name of the table, with or without its namespace.' },
        query: NamedDumpQuery,
        answers: [
          {
            status: 307,
            description: 'The file is at `Location`.',
            headers: { Location: 'The permanent address of the dump, at this service.' },
          },
        ],
        problems: [...DUMP_PROBLEMS, ...MOVING_PROBLEMS],
        curl: `curl -fLO "$MORAINE/v1/tables/flights/flights.${format}"`,
      },
      async (call) => {
        requireOwnName(call.param('table_identifier'), call.param('file_name'), format)
        const choice = { format, compression: 'none', ...call.query } as const
        return answerRedirect(service, call, await findDump(service, call, choice), call.query)
      },
    ),
  )
}

/** So that a file of another name is not mistaken for another table, snapshot or ref. */
function requireOwnName(table: string, fileName: string, format: DumpFormat): void {
  const key = parseTableIdentifier(table)
  const names = 'tableUuid' in key ? [table] : [table, key.name]
  if (names.includes(fileName)) return
  const file = `${names.at(-1)}.${format}`
  throw new CatalogError(
    'snapshot-not-found',
    `the table's file is called ${file}; read a snapshot or ref whose name ends in .${format} ` +
      'by its snapshot id',
    { facts: { file } },
  )
}

async function answerRedirect(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { redirect }: Pick<z.output<typeof NamedDumpQuery>, 'redirect'>,
): Promise<Reply> {
  const { headers, method } = call.request
  const { target } = resource
  if (method === 'HEAD' || headers.range !== undefined) {
    const opened = await openDump(service, call, target)
    const { indexWaitMs } = service.streams.limits
    if ((await waitForIndex(opened, indexWaitMs, call.closed)) === undefined) {
      throw notReady(target)
    }
  }
  const asked = redirect === undefined ? '' : `&redirect=${redirect}`
  return {
    status: 307,
    headers: { Location: pinnedPath(target) + asked, 'Cache-Control': 'private, no-cache' },
  }
}
