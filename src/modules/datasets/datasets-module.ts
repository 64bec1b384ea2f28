import type { Module } from '../module.ts'
import { type DownloadService, downloadRoutes } from './dataset-download.ts'
import { type DatasetService, datasetRoutes } from './dataset-routes.ts'
import { endExpired } from './end-dataset.ts'

/** Queries of snapshots, frozen: hidden tables that never change. */
export function datasetsModule(platform: DatasetService & DownloadService): Module {
  return {
    name: 'datasets',
    routes: [...datasetRoutes(platform), ...downloadRoutes(platform)],
    tasks: [endExpired(platform)],
  }
}
