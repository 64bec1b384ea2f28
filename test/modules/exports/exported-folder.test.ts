import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { linesOf, writeTask } from './export-harness.ts'
import { sendBytes } from './send-bytes.ts'

let folder: string
let service: TestService | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-exported-'))
})
afterEach(async () => {
  await service?.close()
  await rm(folder, { recursive: true })
})

test('EXPORT_PATH has the archived files, and tables have none of it', async () => {
  const path = join(folder, 'archive')
  service = await startTestService({ environment: { EXPORT_PATH: path } })
  const schema = { columns: [{ name: 'id', type: 'int' }] }
  await must(post(service, '/v1/tables', { name: 's.t', schema }), 201)
  const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: 'id\n1\n2\n' }
  expect((await fetch(`${service.url}/v1/tables/s.t/files`, csv)).status).toBe(201)
  const task = { source: 'moraine', table: 's.t', where: 'true', archive_to: 's.old' }
  await writeTask(join(service.home, 'exports'), 't', { 'task.json': task })
  expect((await post(service, '/exports/t', {})).status).toBe(200)
  const [file] = (await must(ask(service, '/v1/exports/t/files'))).files
  expect(file).toMatchObject({ rows: 2, table: 's.old' })
  expect(linesOf(await sendBytes(service.url + file.url))).toEqual(['id', '1', '2'])
  expect((await readdir(join(path, 't'))).sort()).toEqual([file.file, `${file.file}.json`])
  await expect(access(join(service.home, 'warehouse/.exports'))).rejects.toThrow('ENOENT')
  expect((await must(ask(service, '/v1/tables/s.old'))).totals.records).toBe(2)
  const files = [{ path: `file://${path}/t/${file.file}` }]
  const registered = await post(service, '/v1/tables/s.t/files', { files })
  expect(registered.body.type).toBe('/problems/location-not-allowed')
})

test('an EXPORT_PATH where no folder can be is one line', async () => {
  const path = join(folder, 'file')
  await writeFile(path, '')
  await expect(startTestService({ environment: { EXPORT_PATH: path } })).rejects.toThrow(
    /^EXPORT_PATH=.* cannot be used: .*; give a folder that the service may write to$/,
  )
})
