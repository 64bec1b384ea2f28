import type { Dialect } from './http/dialect.ts'
import type { Route } from './http/route.ts'
import { plainDialect } from './http/serve/plain-dialect.ts'
import { dumpsModule } from './modules/dumps/http/dumps-module.ts'
import { eventsModule } from './modules/events/events-module.ts'
import { filesModule } from './modules/files/files-module.ts'
import { icebergRestModule } from './modules/iceberg-rest/http/iceberg-rest-module.ts'
import type { Module } from './modules/module.ts'
import { operationsModule } from './modules/operations/operations-module.ts'
import { tablesModule } from './modules/tables/tables-module.ts'
import { viewsModule } from './modules/views/views-module.ts'

/** Every capability of the service: the factory of each takes what it needs of the platform. */
const CAPABILITIES = [
  tablesModule,
  viewsModule,
  filesModule,
  dumpsModule,
  icebergRestModule,
  eventsModule,
  operationsModule,
] as const

/** What all capabilities together ask for. */
export type ModulePlatform = Omit<
  Both<Parameters<(typeof CAPABILITIES)[number]>[0]>,
  keyof ModuleSeams
>

/** What modules learn of each other without knowing each other. */
interface ModuleSeams {
  /** All that the service speaks; called when every module is there. */
  dialects(): readonly Dialect[]
}

/** Both members of a union at once: `A & B` where it is `A | B`. */
type Both<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  each: infer All,
) => void
  ? All
  : never

/** Makes every module. Nothing is opened, and nothing of the platform is called. */
export function listModules(platform: ModulePlatform): readonly Module[] {
  const seams: ModuleSeams = {
    dialects: () => dialectsOf(modules),
  }
  const whole = { ...platform, ...seams }
  const modules: readonly Module[] = CAPABILITIES.map((makeModule) => makeModule(whole))
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
