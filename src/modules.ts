import type { Dialect } from './http/dialect.ts'
import type { Route } from './http/route.ts'
import { plainDialect } from './http/serve/plain-dialect.ts'
import { forgetDumpsOfTable } from './modules/dumps/dump-sweep.ts'
import { dumpsModule } from './modules/dumps/http/dumps-module.ts'
import { filesModule } from './modules/files/files-module.ts'
import { icebergRestModule } from './modules/iceberg-rest/http/iceberg-rest-module.ts'
import type { Module } from './modules/module.ts'
import { operationsModule } from './modules/operations/operations-module.ts'
import { tablesModule } from './modules/tables/tables-module.ts'
import { viewsModule } from './modules/views/views-module.ts'

/** What all capabilities together ask for; each takes what it needs of it. */
export type ModulePlatform = Parameters<typeof tablesModule>[0] &
  Parameters<typeof viewsModule>[0] &
  Parameters<typeof filesModule>[0] &
  Parameters<typeof dumpsModule>[0] &
  Parameters<typeof icebergRestModule>[0] &
  Parameters<typeof operationsModule>[0]

/** Every capability of the service. */
export function listModules(platform: ModulePlatform): readonly Module[] {
  const tableDropped = (tableUuid: string) => forgetDropped(platform, tableUuid)
  const dropping = { ...platform, tableDropped }
  const modules: readonly Module[] = [
    tablesModule(dropping),
    viewsModule(platform),
    filesModule(platform),
    dumpsModule(platform),
    icebergRestModule(dropping),
    operationsModule(platform, () => dialectsOf(modules)),
  ]
  return modules
}

export function routesOf(modules: readonly Module[]): readonly Route[] {
  return modules.flatMap(({ routes = [] }) => routes)
}

/** All that the service speaks: its own API, and the protocols of modules. */
export function dialectsOf(modules: readonly Module[]): readonly Dialect[] {
  return [plainDialect(routesOf(modules)), ...modules.flatMap(({ dialect = [] }) => dialect)]
}

/** Every dialect, its routes to be read and not called: no platform is behind them. */
export function documentedDialects(): readonly Dialect[] {
  return dialectsOf(listModules({} as ModulePlatform))
}

/** Those of the service's own API. */
export function documentedRoutes(): readonly Route[] {
  return documentedDialects().flatMap(({ root, routes }) => (root === '' ? routes : []))
}

/** A table is dropped also when its dumps cannot be deleted. */
async function forgetDropped(platform: ModulePlatform, tableUuid: string): Promise<void> {
  try {
    await forgetDumpsOfTable(platform, tableUuid)
  } catch (err) {
    platform.log.warn({ err, tableUuid }, 'dumps of a dropped table could not be deleted')
  }
}
