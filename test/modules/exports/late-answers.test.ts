import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { refusal } from '../../refusal.ts'
import {
  archivedIds,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  sourceAt,
  TASKS_OF_T,
  type TestSource,
} from './export-runs.ts'

/** CopyDone, and the beginning of what comes after it: CommandComplete or an error. */
const COPY_DONE = [
  Buffer.from('c\0\0\0\x04C\0\0\0', 'latin1'),
  Buffer.from('c\0\0\0\x04E\0\0\0', 'latin1'),
]
const COPY_DONE_BYTES = 5
const LATE_MS = 100

/** A proxy behind which what comes after the last row of a COPY is late, as by a full buffer. */
async function openSplitProxy(target: URL): Promise<Server> {
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    client.pipe(upstream)
    let turn = Promise.resolve()
    upstream.on('data', (chunk) => {
      const at = Math.max(...COPY_DONE.map((done) => chunk.indexOf(done)))
      turn = turn.then(async () => {
        if (at < 0) return void client.write(chunk)
        client.write(chunk.subarray(0, at + COPY_DONE_BYTES))
        await new Promise((resolve) => setTimeout(resolve, LATE_MS))
        client.write(chunk.subarray(at + COPY_DONE_BYTES))
      })
    })
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    upstream.on('close', () => turn.then(() => client.end()))
    client.on('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

describeWithPostgres('what comes after the rows of a COPY', () => {
  let opened: TestSource
  let proxy: Server
  let home: string
  let deps: ExportParts
  beforeAll(async () => {
    opened = await openTestSource()
    proxy = await openSplitProxy(new URL(opened.url))
  })
  afterAll(async () => {
    proxy.close()
    await opened.close()
  })
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-late-answers-'))
    const objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
    const through = new URL(opened.url)
    through.port = String((proxy.address() as AddressInfo).port)
    deps = exportParts({ objects, warehouse: `file://${home}`, source: sourceAt(through.href) })
    await opened.client.query(
      'drop table if exists t; create table t (id int primary key, note text); ' +
        "insert into t select i, 'note' from generate_series(1, 190) i",
    )
  })
  afterEach(() => rm(home, { recursive: true }))

  const TASKS = {
    ...TASKS_OF_T,
    batches: { json: { mode: 'batches', table: 't', where: 'true', batch_rows: 100 } },
    keep: { json: { mode: 'keep', table: 't', where: 'true' } },
  } as const
  const MODES = Object.keys(TASKS) as (keyof typeof TASKS)[]
  const taskOf = (mode: keyof typeof TASKS) => {
    const { json, ...statements } = TASKS[mode]
    return parseTask('t', { json: JSON.stringify(json), ...statements, changedAtMs: 0 })
  }
  const left = async () =>
    Number((await opened.client.query('select count(*) from t')).rows[0].count)

  test.each(MODES)('%s: their number may come late', async (mode) => {
    const result = await exportOnce(deps, taskOf(mode), runOf())
    expect(result).toMatchObject({ rows: 190 })
    expect(await left()).toBe(mode === 'keep' ? 190 : 0)
    expect((await archivedIds(deps)).length).toBe(190)
  })

  test.each(['atomic', 'batches'] as const)(
    '%s: a trigger may refuse when all rows are sent',
    async (mode) => {
      await opened.client.query(
        'create or replace function refuse() returns trigger language plpgsql as ' +
          "$$ begin raise exception 'kept by law' using errcode = 'P0001'; end $$; " +
          'create trigger kept after delete on t for each statement execute function refuse()',
      )
      const refused = await refusal(exportOnce(deps, taskOf(mode), runOf()))
      expect(refused).toMatchObject({ code: 'source-refused', facts: { sqlState: 'P0001' } })
      expect(refused.message).toContain('kept by law')
      expect(await left()).toBe(190)
      expect(await archivedIds(deps)).toEqual([])
      expect(await deps.files.listStaged()).toEqual([])
    },
  )
})
