import pino from 'pino'
import { readConfig } from '../src/config.ts'
import { type ServiceOverrides, startService } from '../src/service.ts'

/** Runs the service with another part, of which its log tells at the start, until SIGTERM. */
export async function runService(overrides: ServiceOverrides, difference: string): Promise<void> {
  const config = readConfig(process.env)
  const log = pino({ level: config.logLevel })
  const service = await startService(config, log, overrides)
  log.info({ url: service.url }, difference)
  process.once('SIGTERM', async () => {
    await service.close()
    process.exit(0)
  })
}
