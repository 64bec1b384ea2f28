/**
 * The built service, as `moraine serve`, on a warehouse that may have tables of others although its
 * catalog has none: what the compatibility kit needs, whose warehouse is the machine's own folder
 * for temporary files. Nobody else should want it.
 */
import { pino } from 'pino'

const built = (path: string) => import(new URL(`../dist/${path}`, import.meta.url).href)

const { readConfig } = await built('config.js')
const { startService } = await built('service.js')
const log = pino({ level: 'info' })
const service = await startService(readConfig(process.env), log, { adoptsWarehouse: true })
log.info({ url: service.url }, 'listening')
process.once('SIGTERM', () => void service.close())
