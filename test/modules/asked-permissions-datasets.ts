import type { Expected } from './asked-permissions.ts'

/** Which table is asked for is known once there is a dataset: test/modules/datasets has those. */
const nothing = { asks: [], refusedWith: 404 }
const NEWEST = '/v1/datasets/nothing'
const PINNED = `${NEWEST}/1`

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
  listDatasetVersions: { path: `${NEWEST}/versions`, ...nothing },
  getDataset: { path: NEWEST, ...nothing },
  getDatasetVersion: { path: PINNED, ...nothing },
  getDatasetStatus: { path: `${NEWEST}/status`, ...nothing },
  getDatasetVersionStatus: { path: `${PINNED}/status`, ...nothing },
  deleteDataset: { path: NEWEST, ...nothing },
  deleteDatasetVersion: { path: PINNED, ...nothing },
  describeDatasetVersion: { path: PINNED, json: { title: 'Planets' }, ...nothing },
  publishDataset: { path: `${NEWEST}/publish`, ...nothing },
  publishDatasetVersion: { path: `${PINNED}/publish`, ...nothing },
  downloadDataset: { path: `${NEWEST}/download`, ...nothing },
  downloadDatasetVersion: { path: `${PINNED}/download`, ...nothing },
  verifyDataset: { path: `${NEWEST}/verify`, ...nothing },
  verifyDatasetVersion: { path: `${PINNED}/verify`, ...nothing },
  citeDataset: { path: `${NEWEST}/citation`, ...nothing },
  citeDatasetVersion: { path: `${PINNED}/citation`, ...nothing },
  materialiseRecords: { path: '/data/sky.planets/records?materialise=true', asks },
  downloadRecords: { path: '/data/sky.planets/records.csv.gz', asks },
  getDataDataset: { path: '/data/datasets/nothing', ...nothing },
  getDataDatasetStatus: { path: '/data/datasets/nothing/status', ...nothing },
  citeSnapshot: { path: `${SNAPSHOT}/citation`, asks },
  ...Object.fromEntries(
    Object.entries(DOCUMENTS).flatMap(([id, path]): [string, Expected][] => [
      [`${id}OfDataset`, { path: `${NEWEST}/${path}`, ...nothing }],
      [`${id}OfDatasetVersion`, { path: `${PINNED}/${path}`, ...nothing }],
      [`${id}OfSnapshot`, { path: `${SNAPSHOT}/${path}`, asks }],
    ]),
  ),
}
