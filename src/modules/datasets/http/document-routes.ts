import { z } from 'zod'
import { onTable } from '../../../http/permission.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import { type Call, defineRoute, type Route } from '../../../http/route.ts'
import { asking } from '../../../lake/table/asked-names.ts'
import { FINDING_PROBLEMS } from '../../dumps/http/dump-docs.ts'
import { type CiteService, citeDataset, citeSnapshot } from '../cite-data.ts'
import { CITATION_MEDIA_TYPES, CITATION_STYLES, citationOf } from '../documents/citation.ts'
import type { CitedData } from '../documents/cited-data.ts'
import { DOCUMENT_KINDS, type DocumentKind } from '../documents/document-kinds.ts'
import { DATASET_FORMS, DATASETS_TAG, OF_DATASET, UNREADY_PROBLEMS } from './dataset-forms.ts'

const Document = z
  .record(z.string(), z.unknown())
  .meta({ id: 'DatasetDocument', example: { name: 'flights-2024' } })
const Text = z.string()
const Citation = z.union([Text, Document]).meta({
  id: 'DatasetCitation',
  example: 'Ada Lovelace (2024). Flights (Version 1) [Data set]. data.example.org.',
})
const CitationQuery = z.strictObject({
  style: z
    .enum(CITATION_STYLES)
    .default('text')
    .meta({ description: '`csl` is the JSON of citation programs.', example: 'bibtex' }),
})

const OF_FILES = ['dump-not-ready', 'not-acceptable'] as const
const PROBLEMS = [...FINDING_PROBLEMS, ...OF_FILES]
const DESCRIPTION =
  'Tells length and digest of the files. Those that must be made first are waited for, up to a ' +
  'minute; then it is 503, to be asked again.'

export function documentRoutes(service: CiteService): readonly Route[] {
  return [
    ...DOCUMENT_KINDS.flatMap((kind) => [...ofDatasets(service, kind), ofSnapshot(service, kind)]),
    ...citationsOfDatasets(service),
    citationOfSnapshot(service),
  ]
}

function answersOf({ mediaType, called }: Pick<DocumentKind, 'mediaType' | 'called'>) {
  const shape = mediaType === 'text/plain' ? Text : Document
  return [{ status: 200, description: `The ${called}.`, shape, mediaType }]
}

function ofDatasets(service: CiteService, kind: DocumentKind): readonly Route[] {
  const { path, operationId, called, files, make } = kind
  return DATASET_FORMS.map(({ path: at, suffix, which, curl, namedBy }) =>
    defineRoute(
      {
        ...{ ...OF_DATASET, method: 'get', path: `${at}/${path}` as typeof at },
        operationId: `${operationId}OfDataset${suffix}`,
        summary: `Get the ${called}, of the ${which}`,
        ...(files === 'made' && { description: DESCRIPTION }),
        answers: answersOf(kind),
        problems: [...PROBLEMS, ...UNREADY_PROBLEMS],
        curl: `curl -f ${curl}/${path}`,
      },
      async (call) =>
        reply(kind, make(await citeDataset(service, call, { named: namedBy(call), files }))),
    ),
  )
}

const SNAPSHOT = '/v1/tables/{table_identifier}/{snapshot_identifier}'
const OF_SNAPSHOT = { method: 'get', tag: DATASETS_TAG, permission: onTable('select') } as const

function ofSnapshot(service: CiteService, kind: DocumentKind): Route {
  const { path, operationId, called, files, make } = kind
  return defineRoute(
    {
      ...{ ...OF_SNAPSHOT, path: `${SNAPSHOT}/${path}` as typeof SNAPSHOT },
      operationId: `${operationId}OfSnapshot`,
      summary: `Get the ${called}, of a snapshot of a table`,
      ...(files === 'made' && { description: DESCRIPTION }),
      answers: answersOf(kind),
      problems: PROBLEMS,
      curl: `curl -f $MORAINE/v1/tables/aviation.flights/4853267719093551/${path}`,
    },
    async (call) =>
      reply(kind, make(await citeSnapshot(asking(service, call), call, { ...named(call), files }))),
  )
}

function citationsOfDatasets(service: CiteService): readonly Route[] {
  return DATASET_FORMS.map(({ path, suffix, which, curl, namedBy }) =>
    defineRoute(
      {
        ...{ ...OF_DATASET, method: 'get', path: `${path}/citation` as typeof path },
        operationId: `citeDataset${suffix}`,
        summary: `Cite the ${which}`,
        query: CitationQuery,
        answers: CITATIONS,
        problems: [...PROBLEMS, ...UNREADY_PROBLEMS],
        curl: `curl -f "${curl}/citation?style=bibtex"`,
      },
      async (call) => {
        const data = await citeDataset(service, call, { named: namedBy(call), files: 'found' })
        return citationReply(data, call.query)
      },
    ),
  )
}

function citationOfSnapshot(service: CiteService): Route {
  return defineRoute(
    {
      ...{ ...OF_SNAPSHOT, path: `${SNAPSHOT}/citation` as typeof SNAPSHOT },
      operationId: 'citeSnapshot',
      summary: 'Cite a snapshot of a table',
      query: CitationQuery,
      answers: CITATIONS,
      problems: PROBLEMS,
      curl: 'curl -f $MORAINE/v1/tables/aviation.flights/4853267719093551/citation',
    },
    async (call) => {
      const data = await citeSnapshot(asking(service, call), call, {
        ...named(call),
        files: 'found',
      })
      return citationReply(data, call.query)
    },
  )
}

const CITATIONS = [
  {
    status: 200,
    description: 'The citation.',
    shape: Citation,
    mediaType: CITATION_MEDIA_TYPES.text,
    alternatives: {
      [CITATION_MEDIA_TYPES.bibtex]: Text,
      [CITATION_MEDIA_TYPES.ris]: Text,
      [CITATION_MEDIA_TYPES.csl]: Document,
    },
  },
]

function named({
  param,
}: Pick<Call<unknown, unknown, 'table_identifier' | 'snapshot_identifier'>, 'param'>) {
  return { table: param('table_identifier'), snapshotIdentifier: param('snapshot_identifier') }
}

function reply({ mediaType }: DocumentKind, document: object | string): Reply {
  if (typeof document === 'string') return { status: 200, mediaType, body: document }
  return { ...jsonReply(document), mediaType }
}

function citationReply(data: CitedData, { style }: z.output<typeof CitationQuery>): Reply {
  return { status: 200, mediaType: CITATION_MEDIA_TYPES[style], body: citationOf(data, style) }
}
