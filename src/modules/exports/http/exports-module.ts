import type { Stores } from '../../../catalog/catalog.ts'
import type { Log } from '../../../core/log.ts'
import type { Jobs } from '../../../lake/jobs/jobs.ts'
import { DumpStreams, type StreamMeter } from '../../dumps/http/dump-streams.ts'
import type { Module } from '../../module.ts'
import type { PlaceDependencies } from '../archive-places.ts'
import type { ArchiveTableDependencies } from '../archive-table.ts'
import { type ExportPlaces, exportFilesOf } from '../export-files.ts'
import { healthTask } from '../export-health.ts'
import { scheduleTask } from '../export-schedule.ts'
import { exportJob, recoveryTask } from '../run-job.ts'
import type { ExportDependencies } from '../settle-run.ts'
import type { TaskFolder } from '../task-folder.ts'
import { askersOfExports } from './asked-export.ts'
import { DryRuns } from './dry-runs.ts'
import { exportMeters } from './export-meters.ts'
import { namingTasks } from './export-permission.ts'
import { exportRoutes } from './export-routes.ts'
import { runHistoryRoutes } from './run-history-routes.ts'
import { scheduleRoutes } from './schedule-routes.ts'
import { seedRoutes } from './seed-routes.ts'

export type ExportsPlatform = Omit<ExportDependencies, 'tables'> &
  ArchiveTableDependencies &
  ExportPlaces &
  PlaceDependencies &
  Stores<'events' | 'schedules'> & {
    readonly jobs: Jobs
    readonly log: Log
    readonly taskFolder: TaskFolder
  }

const UNCOUNTED: StreamMeter = {
  dumpStreamsActive: () => undefined,
  dumpBytesSent: () => undefined,
  dumpReaderStalled: () => undefined,
}

/** Archives rows of other databases, and deletes them there in the same transaction. */
export function exportsModule(platform: ExportsPlatform): Module {
  const service = {
    ...platform,
    tables: platform,
    files: exportFilesOf(platform),
    folder: platform.taskFolder,
    streams: new DumpStreams(UNCOUNTED),
    dryRuns: new DryRuns(),
  }
  return {
    name: 'exports',
    prepare: async () => {
      try {
        for (const remark of await service.files.remarks()) platform.log.warn({}, remark)
      } catch (err) {
        // Everything else can be served.
        platform.log.warn({ err }, 'where exports archive to could not be looked up')
      }
    },
    routes: [
      ...exportRoutes(service),
      ...runHistoryRoutes(service),
      ...scheduleRoutes(service),
      ...seedRoutes(service),
    ].map((route) => namingTasks(route, service)),
    meters: exportMeters(service),
    jobs: [{ ...exportJob(service), ofAskers: askersOfExports(service) }],
    tasks: [recoveryTask(service), scheduleTask(service), healthTask(service)],
  }
}
