import type { Expected } from './asked-permissions.ts'

const asks = ['admin catalog']

/** As `EXPECTED`, of exports: nobody else sees rows of other databases. */
export const EXPORTS_EXPECTED: Readonly<Record<string, Expected>> = {
  listExports: { path: '/v1/exports', asks },
  getExport: { path: '/v1/exports/nothing', asks },
  runExport: { path: '/v1/exports/nothing/runs', asks },
  runExports: { path: '/v1/exports/runs', asks },
  pauseExport: { path: '/v1/exports/nothing/pause', asks },
  pauseExports: { path: '/v1/exports/pause', asks },
  resumeExport: { path: '/v1/exports/nothing/resume', asks },
  resumeExports: { path: '/v1/exports/resume', asks },
  listExportRuns: { path: '/v1/exports/nothing/runs', asks },
  getExportRun: { path: '/v1/exports/nothing/runs/none', asks },
  getExportRunLog: { path: '/v1/exports/nothing/runs/none/log', asks },
  listExportRunFiles: { path: '/v1/exports/nothing/runs/none/files', asks },
  listExportFiles: { path: '/v1/exports/nothing/files', asks },
  getExportFile: { path: '/v1/exports/nothing/files/nothing.csv', asks },
  listSeedExports: { path: '/exports', asks },
  getSeedExport: { path: '/exports/nothing', asks },
  runSeedExport: { path: '/exports/nothing', asks },
  runSeedExports: { path: '/exports', asks },
}
