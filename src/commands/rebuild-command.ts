import type { Config } from '../config.ts'
import type { Log } from '../core/log.ts'
import type { Overrides, Platform } from '../service.ts'
import { isCatalogDamage } from '../start-failure.ts'
import { startWarnings } from '../start-warnings.ts'
import { openCommandLog } from './command-log.ts'
import { catalogPathOf, setAside } from './set-aside.ts'
import type { AddCommand, Shell } from './shell.ts'

/** Something is in the warehouse that could not be brought back. */
const EXIT_UNREADABLE = 2
const EXIT_NOTHING = 3
const HELP = `
Exit code: 0 when every table, view and namespace found is in the catalog, 1 when it could not run,
2 when something could not be brought back whole, 3 when there is nothing in the warehouse.
`

export const addRebuild: AddCommand = (program, shell) => {
  program
    .command('rebuild')
    .description('bring tables, views and namespaces back from the files of the warehouse')
    .addHelpText('after', HELP)
    .action(() => rebuild(shell))
}

interface Rebuilt {
  readonly outcome: string
  readonly location: string
  readonly detail?: string
}

/** Prints a line for each namespace, table and view. */
async function rebuild({ readConfig, environment, print }: Shell): Promise<void> {
  const config = readConfig()
  const [{ NOT_REBUILT, rebuildCatalog }, { rebuildNamespaces }, policies] = await Promise.all([
    import('../modules/operations/rebuild.ts'),
    import('../modules/operations/rebuild-namespaces.ts'),
    import('../modules/operations/rebuild-policies.ts'),
  ])
  const log = await openCommandLog(config)
  for (const warning of await startWarnings(config, environment)) log.warn(warning)
  const platform = await openSound(config, { log }, print)
  try {
    const told = new Set<string>()
    const tell = (name: string, { outcome, location, detail }: Rebuilt) => {
      told.add(outcome)
      print(`${outcome}  ${name}  ${location}${detail === undefined ? '' : `: ${detail}`}`)
    }
    for await (const each of rebuildNamespaces(platform)) {
      tell(`namespace ${each.namespace ?? ''}`, each)
    }
    const noted = await policies.closeNotedTables(platform)
    for await (const each of rebuildCatalog(platform)) tell(each.table ?? '', each)
    for await (const each of policies.tellNoted(platform, noted)) tell(each.table, each)
    const isLess = told.has('unreadable') || told.has('incomplete')
    if (isLess) process.exitCode = EXIT_UNREADABLE
    if (told.has('registered') || told.has('incomplete'))
      for (const line of lastLines(config, NOT_REBUILT, told.has('closed'))) print(line)
    if (told.size > 0) return
    log.warn(`nothing in ${config.warehouse}: check MORAINE_HOME, MORAINE_WAREHOUSE`)
    process.exitCode = EXIT_NOTHING
  } finally {
    await platform.close()
  }
}

/** What is lost, and what is to be done before anybody reads what came back. */
function lastLines({ auth }: Config, lost: string, hasClosed: boolean): readonly string[] {
  const lines = [`not brought back: ${lost}`]
  if (auth === 'none') return lines
  const first =
    auth === 'ckan'
      ? 'CKAN lets its users read what came back; all others have lost what was granted'
      : 'what came back has no grants, so only administrators reach it'
  const closed =
    'nobody reads rows of what is closed until its policy is set again (PUT ' +
    '/v1/tables/<table>/policy) or taken away (DELETE)'
  const steps = [`${first}: run create-admin-key`, ...(hasClosed ? [closed] : [])]
  return [...lines, `next  ${steps.join('; ')}`]
}

/** Opens the stores; a damaged SQLite catalog is set aside for a new one. */
async function openSound(
  config: Config,
  { log }: { readonly log: Log },
  print: Shell['print'],
): Promise<Platform> {
  const { openPlatform } = await import('../service.ts')
  const overrides: Overrides = { log, checksWholeCatalog: true, adoptsWarehouse: true }
  try {
    return await openPlatform(config, overrides)
  } catch (error) {
    const path = catalogPathOf(config)
    if (path === undefined || !isCatalogDamage(error)) throw error
    const aside = await setAside(path, { reason: 'damaged', nowMs: Date.now() })
    print(`set aside  the damaged ${path} is now ${aside}`)
    return await openPlatform(config, overrides)
  }
}
