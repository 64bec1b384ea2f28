import { LogLines } from '../log-lines.ts'
import { exposureWarnings, requireGuarded, startWarnings } from '../start-warnings.ts'
import { VERSION } from '../version.ts'
import type { AddCommand, Shell } from './shell.ts'

const STDOUT = 1

export const addServe: AddCommand = (program, shell) => {
  program
    .command('serve')
    .description('serve the catalog over HTTP until SIGTERM or SIGINT (the default)')
    .option(
      '--adopt-warehouse',
      'begin with an empty catalog although the warehouse has tables, which stay as they are; ' +
        'only when no other catalog uses that folder (to bring its tables back: rebuild)',
    )
    .action((options: ServeOptions) => serve(shell, options))
}

interface ServeOptions {
  readonly adoptWarehouse?: true
}

async function serve(shell: Shell, { adoptWarehouse }: ServeOptions): Promise<void> {
  const config = shell.readConfig()
  requireGuarded(config)
  const stopped = shell.untilStopped()
  const [{ pino }, { startService }] = await Promise.all([import('pino'), import('../service.ts')])
  const lines = new LogLines(STDOUT)
  const log = pino({ level: config.logLevel }, lines)
  for (const warning of await startWarnings(config, shell.environment)) log.warn(warning)
  const service = await startService(config, log, {
    logLinesDropped: () => lines.dropped,
    adoptsWarehouse: adoptWarehouse === true,
  })
  const facts = { url: service.url, version: VERSION, warehouse: config.warehouse }
  log.info(facts, `Moraine ${VERSION} listens on ${service.url}`)
  // Not before it listens: an address that is refused is told in one line.
  for (const warning of exposureWarnings(config)) log.warn(warning)
  log.info({ signal: await stopped }, 'stopping')
  try {
    await service.close()
  } catch (err) {
    log.error({ err }, 'could not stop cleanly')
    process.exitCode = 1
  }
}
