import { type Config, ConfigError, shown } from '../config.ts'
import type { AuditFault, VerifiedAudit, VerifyOptions } from '../modules/audit/verify-audit.ts'
import { openCommandLog } from './command-log.ts'
import type { AddCommand, Shell } from './shell.ts'

const EXITS: Readonly<Record<AuditFault['kind'], number>> = { row: 2, seal: 3, key: 4 }
const HELP = `
Holds each row of the audit against its seal, and each seal against the one before, its signature
and its copy in the warehouse. Services may go on meanwhile. Known is the key of MORAINE_AUDIT_KEY,
or of MORAINE_HOME, if it is on this machine, and those of --key. Exit code: 0 when all fits, 1 when
it could not run, 2 when a row was changed, inserted or is missing, 3 when a seal or its copy was, 4
when all fits but a seal is signed by a key that is not known. What does not fit first is named.
`

interface Options {
  readonly key?: readonly string[]
  readonly from?: string
  readonly expect?: string
}

export const addVerifyAudit: AddCommand = (program, shell) => {
  program
    .command('verify-audit')
    .description('tell whether rows of the audit were changed, inserted or removed')
    .option('--key <fingerprint...>', 'fingerprints of further keys that may have signed')
    .option('--from <seal>', 'look at no rows of seals before this one: they were lost')
    .option('--expect <seal:hash>', 'a seal that must be there, as an earlier run printed it')
    .addHelpText('after', HELP)
    .action((options: Options) => verify(shell, options))
}

async function verify({ readConfig, print }: Shell, options: Options): Promise<void> {
  const config = readConfig()
  const [{ openPlatform }, { findSealKey }, stores, audit] = await Promise.all([
    import('../service.ts'),
    import('../open-access.ts'),
    import('../backup-stores.ts'),
    import('../modules/audit/verify-audit.ts'),
  ])
  if (!(await stores.hasCatalog(config))) {
    throw new ConfigError('there is no catalog: give the MORAINE_HOME that the service has')
  }
  const own = await findSealKey(config)
  const keys = new Set([...(own === undefined ? [] : [own.fingerprint]), ...(options.key ?? [])])
  if (keys.size === 0) throw noKey(config)
  const log = await openCommandLog(config)
  const platform = await openPlatform(config, { log })
  try {
    const verified = await audit.verifyAudit(platform, { keys, ...read(options) })
    for (const line of linesOf(verified)) print(line)
  } catch (error) {
    if (!(error instanceof audit.AuditFault)) throw error
    const next = error.kind === 'key' ? '; if it is one of yours, give it with --key' : ''
    print(`does not fit  ${error.message}${next}`)
    process.exitCode = EXITS[error.kind]
  } finally {
    await platform.close()
  }
}

function read({ from = '1', expect }: Options): Omit<VerifyOptions, 'keys'> {
  if (!/^\d{1,18}$/.test(from)) {
    throw new ConfigError(`--from ${shown(from)} cannot be used: give the number of a seal`)
  }
  const fromSeal = BigInt(from)
  if (expect === undefined) return { fromSeal }
  const [, seal, hash] = /^(\d{1,18}):([0-9a-f]{64})$/.exec(expect) ?? []
  if (seal === undefined || hash === undefined) {
    throw new ConfigError(`--expect ${shown(expect)} cannot be used: give <seal>:<hash>`)
  }
  return { fromSeal, expected: { seal: BigInt(seal), hash } }
}

function noKey({ auditKeyPath }: Config): ConfigError {
  return new ConfigError(
    `no key is known: ${auditKeyPath} is not there; give the fingerprint of the key with --key`,
  )
}

function linesOf(verified: VerifiedAudit): string[] {
  const { seals, rows, unsealed, prunedThrough, last, late, firstLate } = verified
  return [
    `verified  ${seals} seals  ${rows} rows  ${unsealed} rows that no seal has yet`,
    ...(last === undefined ? [] : [`last seal  ${last.seal}:${last.hash}`]),
    ...(prunedThrough === 0n ? [] : [`given up  rows of seals up to ${prunedThrough}`]),
    ...(late === 0
      ? []
      : [`late  ${late} rows were sealed over an hour after their time, first ${firstLate}`]),
  ]
}
