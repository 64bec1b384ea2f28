import { execFileSync } from 'node:child_process'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PatientTurns } from '../../../src/lake/jobs/patient-turns.ts'
import { ExportFiles } from '../../../src/modules/exports/export-files.ts'
import { healthTask } from '../../../src/modules/exports/export-health.ts'
import { scheduleTask } from '../../../src/modules/exports/export-schedule.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeTask } from './export-harness.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
})
afterEach(() => service.close())

const folder = () => join(service.home, 'exports')
const newTask = (name: string) =>
  writeTask(folder(), name, { 'task.json': { source: 'moraine', table: 'no.t', where: 'true' } })

test('a folder of tasks that cannot be read is not one without tasks', async () => {
  await newTask('a')
  await rename(folder(), `${folder()}-moved`)
  await writeFile(folder(), 'not a folder')
  const listed = await must(ask(service, '/v1/exports'))
  expect(listed).toEqual({
    exports: [],
    problem: expect.stringMatching(/ENOTDIR.*MORAINE_EXPORTS/),
  })
  const posts = ['/exports', '/exports/a', '/v1/exports/runs', '/v1/exports/pause']
  for (const path of [...posts, '/v1/exports/resume', '/v1/exports/a/runs']) {
    const { status, body } = await post(service, path, {})
    expect([path, status, body.type]).toEqual([path, 503, '/problems/exports-unreadable'])
  }
  expect((await ask(service, '/exports')).status).toBe(503)

  const logged: object[] = []
  const log = { ...service.deps.log, warn: (facts: object) => logged.push(facts) }
  const { deps } = service
  const own = { files: new ExportFiles(deps), folder: new TaskFolder(folder()), tables: deps }
  const parts = { ...deps, ...own, log }
  const task = scheduleTask(parts)
  const { signal } = new AbortController()
  for (let look = 0; look < 3; look++) await task.run(signal)
  await healthTask(parts).run(signal)
  expect(logged).toEqual([{ problem: listed.problem }])
  const metrics = async () => (await fetch(`${service.url}/metrics`)).text()
  expect(await metrics()).toMatch(/^moraine_exports_unreadable 1$/m)

  await rm(folder())
  await rename(`${folder()}-moved`, folder())
  expect((await must(ask(service, '/exports'))).exports).toEqual(['a'])
  expect(await metrics()).toMatch(/^moraine_exports_unreadable 0$/m)
})

test('a folder with no name of a task, that nobody can look into, is none', async () => {
  await newTask('a')
  for (const name of ['lost+found', 'unreadable']) {
    await mkdir(join(folder(), name))
    // As without the right, which root has.
    await symlink('task.json', join(folder(), name, 'task.json'))
  }
  const { exports } = await must(ask(service, '/v1/exports'))
  expect(exports.map(({ task, problem }: Json) => [task, problem])).toEqual([
    ['a', null],
    ['unreadable', expect.stringContaining('ELOOP')],
  ])
})

test('of a disk that is away one call hangs, and others are refused', async () => {
  await newTask('a')
  const turns = new PatientTurns(50)
  const tasks = new TaskFolder(folder(), { turns })
  let bring: () => void = () => undefined
  const away = new Promise<void>((resolve) => {
    bring = resolve
  })
  const hanging = turns.run(
    () => away,
    () => new Error('hangs'),
  )
  const asked = [tasks.list(), tasks.listMisnamed(), tasks.read('a'), tasks.require('a')]
  const refused = { code: 'exports-unreadable', message: expect.stringContaining('not answer') }
  await Promise.all([
    ...asked.map((each) => expect(each).rejects.toMatchObject(refused)),
    expect(hanging).rejects.toThrow('hangs'),
  ])
  expect(await tasks.problem()).toMatch(/does not answer; bring its disk back/)
  bring()
  await new Promise(setImmediate)
  expect([await tasks.list(), await tasks.problem()]).toEqual([['a'], null])
})

test.each(['task.json', 'select.sql', 'delete.sql'])(
  'nothing waits for who would write to a pipe: %s',
  async (file) => {
    await newTask('a')
    await rm(join(folder(), 'a', file), { force: true })
    execFileSync('mkfifo', [join(folder(), 'a', file)])
    const { exports } = await must(ask(service, '/v1/exports'))
    expect(exports).toMatchObject([{ task: 'a', problem: expect.stringMatching(/is not a file/) }])
    const { status, body } = await post(service, '/exports/a', {})
    expect([status, body.type]).toEqual([422, '/problems/export-task-unusable'])
  },
)
