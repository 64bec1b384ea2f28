import { LogLines } from '../log-lines.ts'
import { startWarnings } from '../start-warnings.ts'
import type { AddCommand, Shell } from './shell.ts'

const STDERR = 2

export const addRebuild: AddCommand = (program, shell) => {
  program
    .command('rebuild')
    .description('register every table again from the files of the warehouse')
    .action(() => rebuild(shell))
}

/** Prints a line for each table. */
async function rebuild({ readConfig, environment, print }: Shell): Promise<void> {
  const config = readConfig()
  const [{ pino }, { openPlatform }, { rebuildCatalog }] = await Promise.all([
    import('pino'),
    import('../service.ts'),
    import('../modules/operations/rebuild.ts'),
  ])
  const log = pino({ level: config.logLevel }, new LogLines(STDERR))
  for (const warning of await startWarnings(config, environment)) log.warn(warning)
  const platform = await openPlatform(config, { log })
  try {
    let isEmpty = true
    for await (const { outcome, table, location, detail } of rebuildCatalog(platform)) {
      isEmpty = false
      const told = detail === undefined ? '' : `: ${detail}`
      print(`${outcome}  ${table ?? ''}  ${location}${told}`)
    }
    if (isEmpty) log.warn(`no tables in ${config.warehouse}: check MORAINE_HOME, MORAINE_WAREHOUSE`)
  } finally {
    await platform.close()
  }
}
