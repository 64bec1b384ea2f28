import type { Dialect } from './http/dialect.ts'
import type { Route } from './http/route.ts'
import { plainDialect } from './http/serve/plain-dialect.ts'
import type { FileNamers } from './lake/deletion/file-namer.ts'
import type { JobKind } from './lake/jobs/job-kind.ts'
import { accessModule } from './modules/access/access-module.ts'
import { auditModule } from './modules/audit/audit-module.ts'
import { datasetsModule } from './modules/datasets/http/datasets-module.ts'
import { laterAnswer } from './modules/datasets/http/later-answer.ts'
import { deletionsModule } from './modules/deletions/deletions-module.ts'
import type { DumpService } from './modules/dumps/http/dump-resource.ts'
import { dumpsModule } from './modules/dumps/http/dumps-module.ts'
import { eventsModule } from './modules/events/events-module.ts'
import { exportsModule } from './modules/exports/http/exports-module.ts'
import { TaskFolder } from './modules/exports/task-folder.ts'
import { filesModule } from './modules/files/files-module.ts'
import { icebergRestModule } from './modules/iceberg-rest/http/iceberg-rest-module.ts'
import type { Module } from './modules/module.ts'
import { namespacesModule } from './modules/namespaces/namespaces-module.ts'
import { operationsModule } from './modules/operations/operations-module.ts'
import type { AnswerLater } from './modules/rows/answer-later.ts'
import { QueryLimits, type QueryLimitsDependencies } from './modules/rows/limits/query-limits.ts'
import { rowsModule } from './modules/rows/rows-module.ts'
import { tablesModule } from './modules/tables/tables-module.ts'
import { viewsModule } from './modules/views/views-module.ts'

/** Factories of all capabilities; each takes what it needs of the platform. */
const CAPABILITIES = [
  tablesModule,
  viewsModule,
  namespacesModule,
  filesModule,
  dumpsModule,
  rowsModule,
  datasetsModule,
  icebergRestModule,
  deletionsModule,
  eventsModule,
  exportsModule,
  accessModule,
  auditModule,
  operationsModule,
] as const

/** Everything that any capability needs. */
export type ModulePlatform = Omit<
  Both<Parameters<(typeof CAPABILITIES)[number]>[0]>,
  keyof ModuleSeams
> &
  QueryLimitsDependencies & {
    /** Absolute path of the folder of tasks of exports. */
    readonly exportsFolder: string
  }

/** What modules know of each other without importing each other. */
interface ModuleSeams {
  /** All protocols of the service; called only after every module was made. */
  dialects(): readonly Dialect[]
  /** What names files besides tables; called only after every module was made. */
  readonly fileNamers: FileNamers
  readonly taskFolder: TaskFolder
  /** Throws `export-not-found`. */
  requireExport(task: string): Promise<void>
  /** Those of all modules; called only after every module was made. */
  jobKinds(): readonly JobKind[]
  /** What hands out the rows of any table; called only after every module was made. */
  dumpService(): DumpService
  /** Makes the result of a query a dataset. */
  readonly answerLater: AnswerLater
  readonly limits: QueryLimits
}

/** The intersection of a union's members: `A & B` for `A | B`. */
type Both<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  each: infer All,
) => void
  ? All
  : never

/** Makes every module. Opens nothing, and calls nothing of the platform. */
export function listModules(platform: ModulePlatform): readonly Module[] {
  const taskFolder = new TaskFolder(platform.exportsFolder)
  const seams: ModuleSeams = {
    taskFolder,
    dialects: () => dialectsOf(modules),
    fileNamers: () => modules.flatMap(({ fileNamers = [] }) => fileNamers),
    limits: new QueryLimits(platform),
    answerLater: (asked) => laterAnswer(whole)(asked),
    dumpService: () => dumps.service,
    requireExport: (task) => taskFolder.require(task),
    jobKinds: () => modules.flatMap(({ jobs = [] }) => jobs),
  }
  const whole = { ...platform, ...seams }
  const dumps = dumpsModule(whole)
  const modules: readonly Module[] = CAPABILITIES.map((makeModule) =>
    makeModule === dumpsModule ? dumps : makeModule(whole),
  )
  return modules
}

export function routesOf(modules: readonly Module[]): readonly Route[] {
  return modules.flatMap(({ routes = [] }) => routes)
}

/** All protocols of the service: its own API, and those of modules. */
export function dialectsOf(modules: readonly Module[]): readonly Dialect[] {
  return [plainDialect(routesOf(modules)), ...modules.flatMap(({ dialect = [] }) => dialect)]
}

/** Every dialect, for documentation only: without a platform, its routes cannot be called. */
export function documentedDialects(): readonly Dialect[] {
  return dialectsOf(listModules({} as ModulePlatform))
}

/** Routes of the service's own API, for documentation only. */
export function documentedRoutes(): readonly Route[] {
  return documentedDialects().flatMap(({ root, routes }) => (root === '' ? routes : []))
}
