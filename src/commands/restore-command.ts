import { lstat, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { openFolder } from '../backup-stores.ts'
import { type Config, ConfigError } from '../config.ts'
import { ownCommand } from '../core/own-command.ts'
import type { BackupReport } from '../modules/operations/backup.ts'
import { makeMissing } from '../start-failure.ts'
import { EXPORTS_NAME } from './backup-command.ts'
import type { AddCommand, Shell } from './shell.ts'

const EXIT_MISSING = 2
const HELP = `
With the settings of the service that is to serve it: there must be no catalog yet, and the
warehouse must be empty, or the very one that was backed up (then only missing files are copied).
A PostgreSQL database must be empty. The catalog comes last and as a whole: a restore that was
interrupted is simply run again. Exit code: 0 when everything in the backup is back, 1 when there
is no catalog still, 2 when the backup itself lacks files, which its missing-files.txt lists, or
tasks of exports could not be put back. These run as soon as MORAINE_EXPORT_SOURCES has their
databases, and delete rows there: give it to one service only.
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
  const [stores, { copyWarehouse, markRestored, readReport }, { mayReceive }] = await Promise.all([
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
  const { markRestoredRuns } = await import('../modules/exports/copy-tasks.ts')
  await markRestoredRuns(from, place)
  // What it was about to delete waits: others may name it since, here or outside.
  await markRestored(place, report)
  const tasks = await restoreTasks(config, folder, stores.openFolder)
  // Last: until then a start says that the catalog is missing.
  await stores.restoreCatalog(config, folder)
  print(`restored  ${copied.written} files  everything acknowledged before ${report.startedAt}`)
  if (copied.present > 0) print(`left as it was  ${copied.present} files that were there already`)
  for (const line of [...remarks(config, report), ...tasks.lines]) print(line)
  if (report.missingFiles > 0 || !tasks.isWhole) process.exitCode = EXIT_MISSING
}

/** Tasks need no catalog, so what hinders them is told, and stops nothing else. */
async function restoreTasks(
  { exportsFolder, exportSources }: Config,
  folder: string,
  open: typeof openFolder,
): Promise<{ readonly isWhole: boolean; readonly lines: readonly string[] }> {
  const from = `${folder}/${EXPORTS_NAME}`
  const found = await lstat(from).catch(() => undefined)
  if (found === undefined) return { isWhole: true, lines: [] }
  if (found.isSymbolicLink()) {
    return { isWhole: false, lines: [`not restored  export tasks: ${from} is a link`] }
  }
  const { copyTasks } = await import('../modules/exports/copy-tasks.ts')
  try {
    await requireNoDanglingLink(exportsFolder)
    const to = { objects: await open(exportsFolder), folder: exportsFolder }
    const { tasks, notCopied } = await copyTasks({ folder: from, isCopy: true }, to)
    const sources = 'set MORAINE_EXPORT_SOURCES, which is not in the backup'
    return {
      isWhole: notCopied.length === 0,
      lines: [
        `restored  ${tasks} export tasks to ${exportsFolder}`,
        ...notCopied.map((why) => `not restored  an export task: ${why}`),
        ...(exportSources.size === 0 ? [`export tasks  need their databases: ${sources}`] : []),
      ],
    }
  } catch (error) {
    const remedy = `copy ${from} to where MORAINE_EXPORTS says`
    const line = `not restored  export tasks: ${(error as Error).message}; ${remedy}`
    return { isWhole: false, lines: [line] }
  }
}

async function requireNoDanglingLink(path: string): Promise<void> {
  const [link, folder] = await Promise.all([lstat(path), stat(path)].map(unlessMissing))
  if (link !== undefined && folder === undefined) throw new Error(`${path} is a link to nothing`)
}

function unlessMissing<T>(looking: Promise<T>): Promise<T | undefined> {
  return looking.catch(() => undefined)
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
      ? [
          `missing  ${report.missingFiles} files of tables or archives: see missing-files.txt of ` +
            'the backup',
        ]
      : []),
    ...(report.registeredFiles > 0
      ? [
          `not restored  ${report.registeredFiles} files outside the warehouse: list their ` +
            'folders in MORAINE_ALLOWED_LOCATIONS or MORAINE_WRITABLE_LOCATIONS, as before; ' +
            'those of exports are read where they are, whatever EXPORT_PATH is',
        ]
      : []),
  ]
}
