/**
 * Time from the start of the process to its first reply, with many tables: Node's part, and ours.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withPlatform } from './bench-home.ts'
import { startBenchService } from './bench-service.ts'
import { call } from './client.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const TABLES = IS_QUICK ? 1_000 : 10_000
const ROUNDS = IS_QUICK ? 3 : 7

const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
await fillTables()
printMachine(`Start-up with ${TABLES} tables`)
const report = openReport('start')
printRow(['what', 'p50 ms', 'longest ms'])
printRow(['---', '---', '---'])
const node = await timed('Node alone, to its end', () => run(['-e', '']))
const empty = join(home, 'express.mjs')
writeFileSync(empty, `await import(${JSON.stringify(import.meta.resolve('express'))})`)
await timed('Node and Express, to their end', () => run([empty]))
const first = await timed(`process to first answer, ${TABLES} tables`, firstAnswer)
report.figure({
  what: `start to first answer, ${TABLES} tables, p50`,
  ...{ value: first, unit: 'ms', aim: { atMost: 1_000 } },
  limit: { what: 'Node alone, start to end', value: node },
})
rmSync(home, { recursive: true })

async function timed(what: string, work: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < ROUNDS; i++) times.push(await work())
  const p50 = percentile(times, 0.5)
  printRow([what, p50.toFixed(0), Math.max(...times).toFixed(0)])
  return p50
}

async function run(args: readonly string[]): Promise<number> {
  const begin = performance.now()
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
  return performance.now() - begin
}

async function firstAnswer(): Promise<number> {
  const begin = performance.now()
  const service = await startBenchService(home)
  await call(`${service.url}/v1/tables/t${Math.floor(Math.random() * TABLES)}`)
  const took = performance.now() - begin
  await service.stop()
  return took
}

/** Leaves half of them unpublished, as a crash would. */
async function fillTables(): Promise<void> {
  const service = await startBenchService(home)
  const columns = Array.from({ length: 20 }, (_, i) => ({ name: `column_${i}`, type: 'long' }))
  const body = { name: 'model', schema: { columns } }
  const { table_id } = await call(`${service.url}/v1/tables`, { method: 'POST', body })
  await service.stop()
  await withPlatform(home, async ({ catalog }) => {
    const model = await catalog.tables.find({ tableUuid: table_id })
    if (model === undefined) throw new Error('the model is gone')
    for (let i = 0; i < TABLES; i++) {
      const tableUuid = crypto.randomUUID()
      const location = model.definition.location.replace('model', `t${i}`)
      const definition = { ...model.definition, tableUuid, location }
      const publishedVersion = i % 2 === 0 ? model.version : -1
      const state = { ...model, name: `t${i}`, definition, publishedVersion }
      await catalog.tables.create({ state, snapshots: [], snapshotLog: [], addedPaths: [] })
    }
  })
}
