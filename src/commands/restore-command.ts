import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Config, ConfigError } from '../config.ts'
import { ownCommand } from '../core/own-command.ts'
import type { BackupReport } from '../modules/operations/backup.ts'
import { makeMissing } from '../start-failure.ts'
import type { AddCommand, Shell } from './shell.ts'

const EXIT_MISSING = 2
const HELP = `
With the settings of the service that is to serve it: there must be no catalog yet, and the
warehouse must be empty, or the very one that was backed up (then only missing files are copied).
A PostgreSQL database must be empty. The catalog comes last and as a whole: a restore that was
interrupted is simply run again. Exit code: 0 when everything in the backup is back, 1 when there
is no catalog still, 2 when the backup itself lacks files, which its missing-files.txt lists.
`

export const addRestore: AddCommand = (program, shell) => {
  program
    .command('restore')
    .description('bring back the catalog and the warehouse of a backup')
    .argument('<folder>', `what ${ownCommand('backup')} made`)
    .addHelpText('after', HELP)
    .action((folder: string) => restore(shell, resolve(folder)))
}

async function restore({ readConfig, print }: Shell, folder: string): Promise<void> {
  const config = readConfig()
  await requireFolder(folder)
  const [stores, { copyWarehouse, readReport }, { mayReceive }] = await Promise.all([
    import('../backup-stores.ts'),
    import('../modules/operations/backup.ts'),
    import('../modules/operations/warehouse-ids.ts'),
  ])
  const root = `file://${folder}`
  const objects = await stores.openFolder(folder)
  const report = await readReport(objects, root)
  if (report === undefined) {
    throw new ConfigError(`${folder} has no finished backup: it has no backup.json`)
  }
  await stores.requireRestorable(config, folder)
  const { warehouse } = config
  const place = { objects: await stores.openWarehouse(config), warehouse }
  if (!(await mayReceive(place, report.warehouseId))) {
    throw new ConfigError(
      `MORAINE_WAREHOUSE=${warehouse} cannot take this backup: it is not empty, and not the ` +
        'warehouse that was backed up; give an empty folder',
    )
  }
  if (config.catalog.kind === 'sqlite') await makeMissing(dirname(config.catalog.path))
  const from = { objects, root: `${root}/warehouse` }
  const to = { objects: place.objects, root: warehouse }
  const copied = await copyWarehouse(from, to)
  const [differing] = copied.differing
  if (differing !== undefined) {
    throw new ConfigError(
      `MORAINE_WAREHOUSE=${warehouse} cannot take this backup: ${differing} has another size ` +
        'than in the backup; give an empty folder',
    )
  }
  // Last: until then a start says that the catalog is missing.
  await stores.restoreCatalog(config, folder)
  print(`restored  ${copied.written} files  everything acknowledged before ${report.startedAt}`)
  if (copied.present > 0) print(`left as it was  ${copied.present} files that were there already`)
  for (const line of remarks(config, report)) print(line)
  if (report.missingFiles > 0) process.exitCode = EXIT_MISSING
}

/** A store would make the folder. */
async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() === true) return
  throw new ConfigError(`${folder} is not a folder: give one that "backup" has made`)
}

function remarks({ warehouse, relocations }: Config, report: BackupReport): string[] {
  const isMoved = report.warehouse !== warehouse
  const relocation = `${report.warehouse}=${warehouse}`
  const isTold = relocations.some(({ from }) => from === report.warehouse)
  return [
    ...(isMoved && !isTold ? [`moved  start it with MORAINE_RELOCATED=${relocation}`] : []),
    ...(report.missingFiles > 0
      ? [`missing  ${report.missingFiles} files of tables: see missing-files.txt of the backup`]
      : []),
    ...(report.registeredFiles > 0
      ? [
          `not restored  ${report.registeredFiles} files outside the warehouse: list their ` +
            'folders in MORAINE_ALLOWED_LOCATIONS or MORAINE_WRITABLE_LOCATIONS, as before',
        ]
      : []),
  ]
}
