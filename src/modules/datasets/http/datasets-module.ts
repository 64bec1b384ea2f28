import type { Module } from '../../module.ts'
import type { CiteService } from '../cite-data.ts'
import { endExpired } from '../end-dataset.ts'
import { datasetJob, type QueryDatasetDependencies } from '../query-dataset.ts'
import { tellCancelled } from '../tell-cancelled.ts'
import type { VerifyDependencies } from '../verify-dataset.ts'
import { dataRoutes } from './data-routes.ts'
import { type DownloadService, downloadRoutes } from './dataset-download.ts'
import type { DatasetService } from './dataset-forms.ts'
import { datasetRoutes } from './dataset-routes.ts'
import { documentRoutes } from './document-routes.ts'
import { verifyRoutes } from './verify-route.ts'

/** Queries of snapshots, frozen: hidden tables that never change. */
export function datasetsModule(
  platform: DatasetService &
    DownloadService &
    CiteService &
    VerifyDependencies &
    QueryDatasetDependencies,
): Module {
  return {
    name: 'datasets',
    routes: [
      ...datasetRoutes(platform),
      ...downloadRoutes(platform),
      ...documentRoutes(platform),
      ...verifyRoutes(platform),
      ...dataRoutes(platform),
    ],
    jobs: [datasetJob(platform)],
    tasks: [endExpired(platform), tellCancelled(platform)],
  }
}
