import { readdir, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Config, ConfigError } from '../config.ts'
import { isBelow } from '../core/file/location-key.ts'
import { LogLines } from '../log-lines.ts'
import { makeMissing } from '../start-failure.ts'
import { startWarnings } from '../start-warnings.ts'
import { VERSION } from '../version.ts'
import type { AddCommand, Shell } from './shell.ts'

const STDERR = 2
const EXIT_MISSING = 2
const HELP = `
Services may go on meanwhile: every change acknowledged before the start is in the backup, and no
process deletes what it needs. Dumps are left out; files outside the warehouse are listed in
registered-files.txt, not copied. Exit code: 0 when it is whole, 1 when there is no backup, 2 when
files of tables are gone, which missing-files.txt lists.
`

export const addBackup: AddCommand = (program, shell) => {
  program
    .command('backup')
    .description('copy the catalog and the warehouse to a new folder')
    .argument('<folder>', 'a folder that does not exist or is empty')
    .addHelpText('after', HELP)
    .action((folder: string) => backup(shell, resolve(folder)))
}

async function backup({ readConfig, environment, print }: Shell, folder: string): Promise<void> {
  const config = readConfig()
  await requireCatalog(config)
  await makeEmpty(config, folder)
  const [{ pino }, { openPlatform }, stores, operations, claims] = await Promise.all([
    import('pino'),
    import('../service.ts'),
    import('../backup-stores.ts'),
    import('../modules/operations/backup.ts'),
    import('../modules/operations/warehouse-ids.ts'),
  ])
  const log = pino({ level: config.logLevel }, new LogLines(STDERR))
  for (const warning of await startWarnings(config, environment)) log.warn(warning)
  const platform = await openPlatform(config, { log })
  try {
    const target = {
      objects: await stores.openFolder(folder),
      root: `file://${folder}`,
      copyCatalog: () => stores.copyCatalog(config, folder),
      openCopy: () => stores.openCopiedCatalog(config, folder),
      nowMs: () => Date.now(),
    }
    const warehouseId = await claims.ownWarehouseId(platform)
    const report = await operations.backUp(platform, target, { version: VERSION, warehouseId })
    const { files, bytes, registeredFiles, missingFiles } = report
    print(`backed up  ${files} files  ${bytes} bytes  ${folder}`)
    if (registeredFiles > 0) print(`not copied  ${registeredFiles} files outside the warehouse`)
    if (missingFiles > 0) {
      print(`missing  ${missingFiles} files of tables: see missing-files.txt`)
      process.exitCode = EXIT_MISSING
    }
  } catch (error) {
    if (error instanceof operations.BackupRunsError) throw new ConfigError(error.message)
    throw error
  } finally {
    await platform.close()
  }
}

/** A home that is mistyped would be made, and a backup of nothing be called whole. */
async function requireCatalog({ catalog }: Config): Promise<void> {
  if (catalog.kind !== 'sqlite') return
  const found = await stat(catalog.path).catch(() => undefined)
  if (found !== undefined) return
  throw new ConfigError(
    `there is no catalog ${catalog.path}, so nothing to back up: give the MORAINE_HOME (or ` +
      'MORAINE_CATALOG) that the service has',
  )
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
