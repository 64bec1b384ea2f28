import type { Stores } from '../../../catalog/catalog.ts'
import type { Jobs } from '../../../lake/jobs/jobs.ts'
import type { ObjectLinks } from '../../../objects/object-links.ts'
import type { Module } from '../../module.ts'
import type { DumpDependencies } from '../dump-dependencies.ts'
import { dumpJob } from '../dump-job.ts'
import { dumpedFiles, forgetDroppedTables, stopDumpsOfDropped } from '../dump-sweep.ts'
import { Dumps } from '../dumps.ts'
import { sweepFailedDumps } from '../failed-dumps.ts'
import { DumpLinks } from '../link/dump-links.ts'
import { moveOldDumps } from '../old-dumps.ts'
import { SourceWatch } from '../source/source-watch.ts'
import { ckanRoutes } from './ckan-routes.ts'
import { DumpMetrics } from './dump-metrics.ts'
import type { DumpService } from './dump-resource.ts'
import { dumpRoutes } from './dump-routes.ts'
import { type DumpLimits, DumpStreams } from './dump-streams.ts'
import { namedDumpRoutes } from './named-dump-routes.ts'

/** How many of the newest dumps are kept, for each table and format. */
const DUMPS_KEPT = 3

export type DumpsPlatform = DumpDependencies &
  Stores<'paths'> & {
    readonly jobs: Jobs
    readonly links: ObjectLinks
    /** How long links to dumps work; there are none by default. */
    readonly linkExpirySeconds?: number | undefined
    /** Size of all dumps together; unlimited by default. */
    readonly dumpBudgetBytes?: number | undefined
    /** Overrides of the default limits. */
    readonly dumpLimits?: Partial<DumpLimits> | undefined
  }

/** Downloads of any snapshot as one file. */
export function dumpsModule(platform: DumpsPlatform): Module & { readonly service: DumpService } {
  const { ambient, catalog, log, objects, jobs, dumpBudgetBytes: bytesMax } = platform
  const metrics = new DumpMetrics()
  const dumps = new Dumps(platform, {
    keepNewest: DUMPS_KEPT,
    meter: metrics,
    ...(bytesMax !== undefined && { bytesMax }),
  })
  const streams = new DumpStreams(metrics, platform.dumpLimits)
  const watch = new SourceWatch(objects)
  const links = new DumpLinks(
    { ...platform, watch },
    { expiresInSeconds: platform.linkExpirySeconds ?? 0, bytesMax },
  )
  const service = { ambient, catalog, objects, jobs, dumps, links, streams, watch }
  return {
    name: 'dumps',
    routes: [...dumpRoutes(service), ...namedDumpRoutes(service), ...ckanRoutes(service)],
    meters: metrics.meters,
    jobs: [dumpJob(platform, dumps)],
    consumes: [forgetDroppedTables(platform), stopDumpsOfDropped(platform, dumps)],
    tasks: [
      {
        name: 'delete shards of failed dumps',
        everyMs: 3_600_000,
        run: (signal) => sweepFailedDumps(platform, signal),
      },
    ],
    fileNamers: [dumpedFiles(platform, dumps)],
    service,
    prepare: async () => {
      const files = await moveOldDumps(platform)
      if (files > 0)
        log.warn({ files }, 'the dumps of Moraine 0.1 were moved to where they are now')
    },
    close: async () => {
      await links.close()
      await dumps.close()
    },
  }
}
