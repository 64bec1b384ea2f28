import { ask, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

/** A job of a kind that nobody runs: it waits until the test changes it. */
const submit = (key?: string, asker?: string) =>
  service.deps.jobs.submit({
    kind: 'test',
    input: { secret: 1 },
    ...(key && { key }),
    ...(asker && { asker }),
  })

async function finish(result: unknown): Promise<string> {
  const { jobs } = service.deps.catalog
  const claim = { kinds: ['test'], owner: 'me', nowMs: Date.now(), durationMs: 60_000 }
  const job = await jobs.claim(claim)
  if (job === undefined) throw new Error('there is no job')
  await jobs.end(job, { outcome: 'succeeded', result, nowMs: Date.now() })
  return job.jobId
}

test('a job is shown as it is, and waited for until it has ended', async () => {
  const { job } = await submit()
  const path = `/v1/jobs/${job.jobId}`
  const waiting = await ask(service, path)
  expect(waiting.headers.get('retry-after')).toBe('2')
  expect(waiting.body).toEqual({
    job_id: job.jobId,
    kind: 'test',
    key: job.jobId,
    state: 'waiting',
    progress: null,
    result: null,
    problem: null,
    attempts: 0,
    is_cancelled: false,
    created_at: expect.stringMatching(/Z$/),
    started_at: null,
    ended_at: null,
  })
  expect(await must(ask(service, `${path}?wait=0.1`))).toMatchObject({ state: 'waiting' })
  const end = must(ask(service, `${path}?wait=30`))
  await finish({ rows: 7 })
  const ended = await end
  expect(ended).toMatchObject({ state: 'succeeded', result: { rows: 7 }, attempts: 1 })
})

test('a shared job is cancelled when its last asker withdraws, or for all at once', async () => {
  const { job } = await submit('k', 'ada')
  await submit('k', 'bob')
  const path = `/v1/jobs/${job.jobId}`
  const cancel = (query: string) => must(ask(service, path + query, { method: 'DELETE' }))
  expect(await cancel('?asker=ada')).toMatchObject({ state: 'waiting', is_cancelled: false })
  expect(await cancel('?asker=bob')).toMatchObject({ state: 'cancelled', is_cancelled: true })
  expect(await cancel('')).toMatchObject({ state: 'cancelled' })
  const other = await submit('k', 'eve')
  expect(other.isNew).toBe(true)
  const all = await ask(service, `/v1/jobs/${other.job.jobId}`, { method: 'DELETE' })
  expect(all.body).toMatchObject({ state: 'cancelled' })
})

test('jobs are listed in pages, newest first', async () => {
  const ids: string[] = []
  for (let count = 0; count < 5; count++) ids.unshift((await submit()).job.jobId)
  const listed: string[] = []
  for (let token = ''; ; ) {
    const page = await must(ask(service, `/v1/jobs?kind=test&state=waiting&page_size=2${token}`))
    listed.push(...page.jobs.map(({ job_id }: { job_id: string }) => job_id))
    if (page.next_page_token === null) break
    token = `&page_token=${page.next_page_token}`
  }
  expect([...listed].sort()).toEqual([...ids].sort())
  expect(await must(ask(service, '/v1/jobs?kind=none'))).toEqual({
    jobs: [],
    next_page_token: null,
  })
  const refused = await ask(service, '/v1/jobs?page_token=abc')
  expect(refused.body.type).toBe('/problems/page-token-invalid')
  expect((await ask(service, '/v1/jobs?state=tired')).status).toBe(400)
})

test('a job that there is not is a 404, whatever is asked of it', async () => {
  for (const method of ['GET', 'DELETE']) {
    const { status, body } = await ask(service, '/v1/jobs/none', { method })
    expect([status, body.type]).toEqual([404, '/problems/job-not-found'])
  }
})
