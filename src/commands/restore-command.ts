import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Config, ConfigError } from '../config.ts'
import type { BackupReport } from '../modules/operations/backup.ts'
import { makeMissing } from '../start-failure.ts'
import type { AddCommand, Shell } from './shell.ts'

const HELP = `
With the settings of the service that is to serve it: there must be no catalog yet, and the
warehouse must be empty, or the very one that was backed up (then only missing files are copied).
A PostgreSQL database must be empty.
`

export const addRestore: AddCommand = (program, shell) => {
  program
    .command('restore')
    .description('bring back the catalog and the warehouse of a backup')
    .argument('<folder>', 'what "moraine backup" made')
    .addHelpText('after', HELP)
    .action((folder: string) => restore(shell, resolve(folder)))
}

async function restore({ readConfig, print }: Shell, folder: string): Promise<void> {
  const config = readConfig()
  await requireFolder(folder)
  const [stores, { copyFolder, readReport }, { mayReceive }] = await Promise.all([
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
  const copied = await copyFolder(from, { objects: place.objects, root: warehouse })
  // Last: until then a start says that the catalog is missing.
  await stores.restoreCatalog(config, folder)
  print(`restored  ${copied.written} files  everything acknowledged before ${report.startedAt}`)
  if (copied.present > 0) print(`left as it was  ${copied.present} files that were there already`)
  for (const line of remarks(config, report)) print(line)
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
    ...(report.registeredFiles > 0
      ? [
          `not restored  ${report.registeredFiles} files outside the warehouse: list their ` +
            'folders in MORAINE_ALLOWED_LOCATIONS or MORAINE_WRITABLE_LOCATIONS, as before',
        ]
      : []),
  ]
}
