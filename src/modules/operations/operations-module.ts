import type { Dialect } from '../../http/dialect.ts'
import { constantGauge, type Meter } from '../../http/metrics.ts'
import { type EveryNoteDependencies, noteEveryPolicy } from '../../lake/policies/policy-note.ts'
import { noteEveryNamespace } from '../../lake/table/every-namespace.ts'
import type { NoteDependencies } from '../../lake/table/namespace-note.ts'
import type { WatchedStore } from '../../objects/object-store-watch.ts'
import type { Module } from '../module.ts'
import { type OperationsDependencies, operatorRoutes } from './operator-routes.ts'
import { Pages } from './pages.ts'
import { StoreHealth } from './store-health.ts'

export type OperationsPlatform = Omit<OperationsDependencies, 'pages' | 'health'> &
  NoteDependencies &
  EveryNoteDependencies & {
    /** The buckets in use. */
    readonly watchedStores: readonly WatchedStore[]
    /** All protocols of the service; called when a page is requested. */
    dialects(): readonly Dialect[]
  }

const HOUR_MS = 3_600_000

/** Which build runs; prometheus joins it to the other metrics. */
function buildInfo(version: string): Meter {
  const help = 'Version of the service, and of Node; the value is always 1.'
  return constantGauge('moraine_build_info', help, { version, node: process.versions.node })
}

/** Health, metrics and API documents, and the notes for rebuilds. */
export function operationsModule(platform: OperationsPlatform): Module {
  const { catalog, requireWarehouse, version, metrics, dialects, publicUrl } = platform
  const pages = new Pages(dialects)
  const health = new StoreHealth(() => platform.watchedStores)
  return {
    name: 'operations',
    routes: operatorRoutes({
      ...{ catalog, requireWarehouse, health, version, metrics, pages, publicUrl },
    }),
    meters: [buildInfo(version), health.meter],
    tasks: [
      {
        name: 'note namespaces',
        everyMs: HOUR_MS,
        run: (signal) => noteEveryNamespace(platform, signal),
      },
      {
        name: 'note policies',
        everyMs: HOUR_MS,
        run: (signal) => noteEveryPolicy(platform, signal),
      },
    ],
  }
}
