import type { Expected } from './asked-permissions.ts'

const asks = ['export export nothing']
/** Lists have only what the caller may export. */
const forSome = ['describe namespace []']
const RUN = '/v1/exports/nothing/runs/none'

/** As `EXPECTED`, of exports: nobody else sees rows of other databases. */
export const EXPORTS_EXPECTED: Readonly<Record<string, Expected>> = {
  listExports: { path: '/v1/exports', asks: forSome },
  getExport: { path: '/v1/exports/nothing', asks },
  runExport: { path: '/v1/exports/nothing/runs', asks },
  runExports: { path: '/v1/exports/runs', asks: forSome },
  pauseExport: { path: '/v1/exports/nothing/pause', asks },
  pauseExports: {
    path: '/v1/exports/pause',
    json: { tasks: ['nothing'] },
    asks: [...forSome, ...asks],
  },
  resumeExport: { path: '/v1/exports/nothing/resume', asks },
  resumeExports: {
    path: '/v1/exports/resume',
    json: { tasks: ['nothing'] },
    asks: [...forSome, ...asks],
  },
  listExportRuns: { path: '/v1/exports/nothing/runs', asks },
  getExportRun: { path: RUN, asks },
  cancelExportRun: { path: RUN, asks },
  getExportRunLog: { path: `${RUN}/log`, asks },
  listExportRunFiles: { path: `${RUN}/files`, asks },
  listExportFiles: { path: '/v1/exports/nothing/files', asks },
  getExportFile: { path: '/v1/exports/nothing/files/nothing.csv', asks },
  listSeedExports: { path: '/exports', asks: forSome },
  getSeedExport: { path: '/exports/nothing', asks },
  runSeedExport: { path: '/exports/nothing', asks },
  runSeedExports: { path: '/exports', asks: forSome },
}
