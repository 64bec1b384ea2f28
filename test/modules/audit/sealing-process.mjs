// Adds rows and seals them until it is killed. Words: the folder of the build, a name for its rows.
import { randomUUID } from 'node:crypto'

const [build, name] = process.argv.slice(2)
const { readConfig } = await import(`${build}/config.js`)
const { openPlatform } = await import(`${build}/service.js`)
const { AuditSealer } = await import(`${build}/modules/audit/audit-sealer.js`)
const { newAuditRow } = await import(`${build}/modules/audit/new-audit-row.js`)

const log = { warn: (facts, message) => console.error(message, facts) }
const platform = await openPlatform(readConfig(process.env), { log })
const sealer = new AuditSealer(platform)
const what = { action: 'readTable', kind: 'table', subject: '', name: 'a.b', decision: 'allowed' }
const none = { request_id: null, address: null, status: null, count: 1, before: null, after: null }
for (;;) {
  const rows = Array.from({ length: 3 }, () => {
    const facts = { rowId: randomUUID(), timeMs: Date.now(), principal: name, ...what }
    return newAuditRow(facts, none)
  })
  await platform.catalog.audit.add(rows)
  try {
    await sealer.run(new AbortController().signal)
    process.stdout.write('sealed\n')
  } catch (error) {
    // The other process has made one after it.
    process.stderr.write(`${error.stack}\n`)
  }
}
