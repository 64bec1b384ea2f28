import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Config, ConfigError, shown } from '../config.ts'
import { isBelow } from '../core/file/location-key.ts'
import type { CopiedTasks } from '../modules/exports/copy-tasks.ts'
import { makeMissing } from '../start-failure.ts'
import { startWarnings } from '../start-warnings.ts'
import { VERSION } from '../version.ts'
import { openCommandLog } from './command-log.ts'
import type { AddCommand, Shell } from './shell.ts'

const EXIT_MISSING = 2
export const EXPORTS_NAME = 'exports'
const EXIT_NOTHING = 3
const HELP = `
Services may go on meanwhile: every change acknowledged before the start is in the backup, and no
process deletes what it needs. Dumps are left out; files outside the warehouse, those of datasets
and archives in EXPORT_PATH too, are looked up and listed in registered-files.txt, not copied.
Tasks of exports (task.json, select.sql, delete.sql) are in it, the addresses of their databases
(MORAINE_EXPORT_SOURCES) are not. Nor is the key that signs the audit, which must not lie beside
what it signs: keep a copy elsewhere. Exit code: 0 when it is whole, 1 when it could not be made, 2
when files of tables or archives are gone, which missing-files.txt lists, or of tasks cannot be
read, 3 when there is no catalog to back up.
`

export const addBackup: AddCommand = (program, shell) => {
  program
    .command('backup')
    .description('copy the catalog and the warehouse to a new folder')
    .argument('<folder>', 'a folder that does not exist or is empty')
    .addHelpText('after', HELP)
    .action((folder: string) => backup(shell, resolve(folder)))
}

async function backup(shell: Shell, folder: string): Promise<void> {
  const { readConfig, environment, print } = shell
  const config = readConfig()
  const stores = await import('../backup-stores.ts')
  // A home or database that is mistyped would be made, and a backup of nothing be called whole.
  if (!(await stores.hasCatalog(config))) {
    process.exitCode = EXIT_NOTHING
    throw new ConfigError(noCatalog(config))
  }
  await makeEmpty(config, folder)
  const [{ openPlatform }, operations, claims, { copyTasks }, { exportFilesOf }] =
    await Promise.all([
      import('../service.ts'),
      import('../modules/operations/backup.ts'),
      import('../modules/operations/warehouse-ids.ts'),
      import('../modules/exports/copy-tasks.ts'),
      import('../modules/exports/export-files.ts'),
    ])
  const log = await openCommandLog(config)
  for (const warning of await startWarnings(config, environment)) log.warn(warning)
  const { signal } = stoppedBy(shell)
  const platform = await openPlatform(config, { log })
  try {
    const target = {
      objects: await stores.openFolder(folder),
      root: `file://${folder}`,
      copyCatalog: () => stores.copyCatalog(config, { folder, signal }),
      openCopy: () => stores.openCopiedCatalog(config, folder),
      nowMs: () => Date.now(),
    }
    const warehouseId = await claims.ownWarehouseId(platform)
    const about = { version: VERSION, warehouseId }
    const to = { objects: target.objects, folder: join(folder, EXPORTS_NAME) }
    const exported = await copyTasks({ folder: config.exportsFolder, isCopy: false }, to)
    const listOutside = () => exportFilesOf(platform).listOutside()
    const report = await operations.backUp({ ...platform, listOutside }, target, about, signal)
    const { files, bytes, registeredFiles, missingFiles } = report
    print(`backed up  ${files} files  ${bytes} bytes  ${folder}`)
    if (registeredFiles > 0) print(`not copied  ${registeredFiles} files outside the warehouse`)
    // It must not lie beside the copy of what it signs.
    if (existsSync(config.auditKeyPath)) {
      print(`not copied  ${config.auditKeyPath}: keep the key of the audit elsewhere`)
    }
    for (const line of taskLines(config, exported)) print(line)
    if (exported.notCopied.length > 0) process.exitCode = EXIT_MISSING
    if (missingFiles > 0) {
      print(`missing  ${missingFiles} files of tables or archives: see missing-files.txt`)
      process.exitCode = EXIT_MISSING
    }
  } catch (error) {
    if (error instanceof operations.BackupRunsError) throw new ConfigError(error.message)
    throw error
  } finally {
    await platform.close()
  }
}

function taskLines({ exportsFolder }: Config, { tasks, notCopied }: CopiedTasks): string[] {
  const lines = notCopied.map((why) => `not copied  an export task: ${why}`)
  if (tasks === 0) return lines
  const sources = 'not copied  MORAINE_EXPORT_SOURCES: addresses of databases, with passwords'
  return [`backed up  ${tasks} export tasks of ${exportsFolder}`, ...lines, sources]
}

/** Aborted by the first signal to end the process, so that others need not wait for a lease. */
function stoppedBy({ untilStopped }: Shell): AbortController {
  const stop = new AbortController()
  const end = (signal: NodeJS.Signals) =>
    stop.abort(new ConfigError(`stopped by ${signal}: what was copied is no backup`))
  void untilStopped().then(end)
  return stop
}

function noCatalog({ catalog }: Config): string {
  return catalog.kind === 'sqlite'
    ? `there is no catalog ${catalog.path}, so nothing to back up: give the MORAINE_HOME (or ` +
        'MORAINE_CATALOG) that the service has'
    : `MORAINE_CATALOG=${shown(catalog.url)} has no catalog, so nothing to back up: give the ` +
        'one that the service has'
}

async function makeEmpty({ warehouse }: Config, folder: string): Promise<void> {
  if (isBelow(warehouse, folder) || `file://${folder}` === warehouse) {
    throw new ConfigError(`${folder} is in the warehouse: give a folder elsewhere`)
  }
  try {
    await makeMissing(folder)
    if ((await readdir(folder)).length === 0) return
  } catch (error) {
    const { message } = error as Error
    throw new ConfigError(`${folder} cannot hold a backup: ${message}`, { cause: error })
  }
  throw new ConfigError(`${folder} is not empty: give a new folder`)
}
