import { type DatasetRecord, isUnfinished } from '../../catalog/dataset-store.ts'
import type { JobProblem, JobRecord } from '../../catalog/job-store.ts'
import { DATASETS_NAMESPACE, hiddenTableName } from '../../core/table/reserved-namespace.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { timeOrNull, timeText } from '../../http/common-shapes.ts'
import { isOrcid, licenseUrl } from './documents/cited-data.ts'
import { DOCUMENT_KINDS } from './documents/document-kinds.ts'
import { CANCELLED, isLiving } from './end-dataset.ts'

/** Signposts for programs that land on the page of a dataset (signposting.org). */
export function signposts(dataset: DatasetRecord): string {
  const url = pathOf(dataset)
  const license = headerUrl(licenseUrl(dataset.card.license))
  const documents = DOCUMENT_KINDS.filter(({ path }) => path.endsWith('.json'))
  return [
    `<${url}>; rel="cite-as"`,
    '<https://schema.org/Dataset>; rel="type"',
    ...(license === undefined ? [] : [`<${license}>; rel="license"`]),
    ...dataset.card.creators.flatMap(({ id }) => (isOrcid(id) ? `<${id}>; rel="author"` : [])),
    ...documents.map(
      ({ path, mediaType }) => `<${url}/${path}>; rel="describedby"; type="${mediaType}"`,
    ),
    ...ITEMS.map(
      ({ format, type }) => `<${url}/download?format=${format}>; rel="item"; type="${type}"`,
    ),
  ].join(', ')
}

/** In ASCII, and without what ends an address in a header; `undefined` for what is none. */
function headerUrl(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).href : undefined
}

const ITEMS = [
  { format: 'csv', type: 'text/csv' },
  { format: 'parquet', type: 'application/vnd.apache.parquet' },
]

type Shown = 'queued' | 'building' | 'ready' | 'failed' | 'expired'

export function pathOf({ name, version }: Pick<DatasetRecord, 'name' | 'version'>): string {
  return `/v1/datasets/${name}/${version}`
}

export function hiddenNameOf({ name, version }: DatasetRecord): string {
  return formatTableName(DATASETS_NAMESPACE, hiddenTableName(name, version))
}

export function stateOf(dataset: DatasetRecord, nowMs: number): Shown {
  const mayExpire = dataset.state === 'ready' || dataset.state === 'queued'
  if (mayExpire && !isLiving(dataset, nowMs)) return 'expired'
  return dataset.state === 'ready' && isUnfinished(dataset) ? 'building' : dataset.state
}

export function datasetToJson(dataset: DatasetRecord, nowMs: number) {
  const { card, facts, query, sourceUuid, sourceName, snapshotId } = dataset
  const { name, version, identity, tableUuid } = dataset
  const url = pathOf(dataset)
  return {
    ...{ name, version, url },
    state: stateOf(dataset, nowMs),
    identity,
    source: {
      table_id: sourceUuid,
      table: sourceName,
      snapshot_id: String(snapshotId),
      snapshot_at: timeText(facts.snapshotAtMs),
    },
    query: query ?? null,
    table_id: tableUuid,
    table: hiddenNameOf(dataset),
    ...card,
    rows: facts.rows,
    files: facts.files,
    bytes: facts.bytes,
    columns: [...facts.columns],
    created_at: timeText(dataset.createdAtMs),
    published_at: timeOrNull(dataset.publishedAtMs),
    expires_at: timeOrNull(dataset.expiresAtMs),
    ended_at: timeOrNull(dataset.endedAtMs),
    download_url: `${url}/download`,
    status_url: `${url}/status`,
    problem: problemToJson(dataset.problem),
  }
}

export function statusToJson(dataset: DatasetRecord, nowMs: number, job?: JobRecord) {
  const { name, version, facts, problem, expiresAtMs } = dataset
  const url = pathOf(dataset)
  const state = stateOf(dataset, nowMs)
  return {
    ...{ name, version },
    state: state === 'queued' ? stateOfJob(job) : state,
    progress: job?.progress ?? null,
    rows: facts.rows,
    expires_at: timeOrNull(expiresAtMs),
    dataset_url: url,
    download_url: state === 'ready' ? `${url}/download` : null,
    problem: problemToJson(problem ?? problemOfJob(job)),
  }
}

/** A job that failed for another reason than its query is asked for again by the next request. */
function stateOfJob(job: JobRecord | undefined): Shown {
  if (job?.state === 'running') return 'building'
  return job?.state === 'failed' || job?.state === 'cancelled' ? 'failed' : 'queued'
}

function problemOfJob(job: JobRecord | undefined): JobProblem | undefined {
  return job?.state === 'cancelled' ? CANCELLED : job?.problem
}

function problemToJson(problem: JobProblem | undefined) {
  return problem === undefined ? null : { type: `/problems/${problem.code}`, ...problem }
}
