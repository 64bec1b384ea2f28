import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { LogLines } from '../log-lines.ts'

const STDERR = 2

/** The log of a command, away from its result: on standard error. */
export async function openCommandLog({ logLevel }: Config): Promise<Logger> {
  const { pino } = await import('pino')
  return pino({ level: logLevel }, new LogLines(STDERR))
}
