import { ask, must } from '../http/client.ts'
import { type Expected, ids } from './asked-permissions.ts'

/** Each of `sky.planets`: those that go or are published are asked for by nothing else. */
export const DATASETS = ['frozen', 'doomed', 'doomed-too', 'told', 'told-too']

/** What there can be datasets of, with no rows that dumps would have to write. */
export async function addEmptySnapshot(service: { readonly url: string }, key = ''): Promise<void> {
  const files = '/v1/tables/sky.planets/files'
  const signedIn = key === '' ? {} : { Authorization: `Bearer ${key}` }
  const headers = { 'Content-Type': 'text/csv', ...signedIn }
  await must(ask(service, files, { raw: 'id\n1\n', headers }), 201)
  await must(ask(service, `${files}/truncate`, { json: {}, headers: signedIn }))
}

const NEWEST = '/v1/datasets/frozen'
const PINNED = `${NEWEST}/1`
/** By the id of the table that it was made of. */
const reads = { asks: () => [`select table ${ids.tableUuid}`] }
const owns = { asks: () => [`own table ${ids.tableUuid}`] }
const publishes = { asks: () => [...reads.asks(), ...owns.asks()] }

const DOCUMENTS = {
  croissant: 'croissant.json',
  dataPackage: 'datapackage.json',
  dataCite: 'datacite.json',
  roCrate: 'ro-crate-metadata.json',
  digests: 'SHA256SUMS',
}
const SNAPSHOT = '/v1/tables/sky.planets/latest'
const asks = ['select table sky.planets']

/** As `EXPECTED`, of datasets. */
export const DATASETS_EXPECTED: Readonly<Record<string, Expected>> = {
  makeDataset: {
    path: '/v1/datasets',
    json: { source: { table: 'sky.planets' } },
    asks: ['select table sky.planets'],
  },
  listDatasets: { path: '/v1/datasets', asks: ['describe namespace []'] },
  listDatasetVersions: { path: `${NEWEST}/versions`, ...reads },
  getDataset: { path: NEWEST, ...reads },
  getDatasetVersion: { path: PINNED, ...reads },
  getDatasetStatus: { path: `${NEWEST}/status`, ...reads },
  getDatasetVersionStatus: { path: `${PINNED}/status`, ...reads },
  deleteDataset: { path: '/v1/datasets/doomed', ...owns },
  deleteDatasetVersion: { path: '/v1/datasets/doomed-too/1', ...owns },
  describeDatasetVersion: { path: PINNED, json: { title: 'Planets' }, ...owns },
  publishDataset: { path: '/v1/datasets/told/publish', ...publishes },
  publishDatasetVersion: { path: '/v1/datasets/told-too/1/publish', ...publishes },
  downloadDataset: { path: `${NEWEST}/download`, ...reads },
  downloadDatasetVersion: { path: `${PINNED}/download`, ...reads },
  verifyDataset: { path: `${NEWEST}/verify`, ...reads },
  verifyDatasetVersion: { path: `${PINNED}/verify`, ...reads },
  citeDataset: { path: `${NEWEST}/citation`, ...reads },
  citeDatasetVersion: { path: `${PINNED}/citation`, ...reads },
  materialiseRecords: { path: '/data/sky.planets/records?materialise=true', asks },
  downloadRecords: { path: '/data/sky.planets/records.csv.gz', asks },
  getDataDataset: { path: '/data/datasets/frozen', ...reads },
  getDataDatasetStatus: { path: '/data/datasets/frozen/status', ...reads },
  citeSnapshot: { path: `${SNAPSHOT}/citation`, asks },
  ...Object.fromEntries(
    Object.entries(DOCUMENTS).flatMap(([id, path]): [string, Expected][] => [
      [`${id}OfDataset`, { path: `${NEWEST}/${path}`, ...reads }],
      [`${id}OfDatasetVersion`, { path: `${PINNED}/${path}`, ...reads }],
      [`${id}OfSnapshot`, { path: `${SNAPSHOT}/${path}`, asks }],
    ]),
  ),
}
