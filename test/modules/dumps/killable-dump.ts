import { readConfig } from '../../../src/config.ts'
import { getTable } from '../../../src/lake/table/table-lookup.ts'
import { dumpTargetOf } from '../../../src/modules/dumps/dump-key.ts'
import { DumpProgress } from '../../../src/modules/dumps/dump-progress.ts'
import { Dumps } from '../../../src/modules/dumps/dumps.ts'
import { openPlatform } from '../../../src/service.ts'

/**
 * Run as a child, to be killed: makes the dump of a table in the home `argv[2]`, at the time
 * `argv[3]`.
 */
const [home = '', nowText = '', table = '', format = ''] = process.argv.slice(2)

const config = readConfig({
  MORAINE_HOME: home,
  MORAINE_ALLOWED_LOCATIONS: `${home}/lake`,
  MORAINE_ENGINE_PROCESSES: '1',
})
const platform = await openPlatform(config, {
  ambient: { nowMs: () => Number(nowText) },
  inThreads: false,
})
const dumps = new Dumps(platform, { keepNewest: 3 })
const state = await getTable(platform.catalog, table)
if (state.currentSnapshot === undefined) throw new Error(`${table} has no snapshot`)
const choice = { format: format as 'csv', compression: 'none' } as const
const asked = { ...choice, restriction: 'unrestricted' } as const
const opened = await dumps.open(dumpTargetOf(state, state.currentSnapshot, asked))
if (opened instanceof DumpProgress) await opened.done
