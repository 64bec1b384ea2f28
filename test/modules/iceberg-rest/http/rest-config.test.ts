import { PROBLEM_CODES, PROBLEMS } from '../../../../src/problem/problems.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { must, rest } from './rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

test('config tells where nothing has to be set, and how long a key may be repeated', async () => {
  const { endpoints, ...config } = await must(rest(service, '/config?warehouse=any'))
  expect(config).toEqual({ defaults: {}, overrides: {}, 'idempotency-key-lifetime': 'PT1H' })
  expect(endpoints.length).toBeGreaterThan(20)
  expect(new Set(endpoints).size).toBe(endpoints.length)
})

test('what is advertised is served, and nothing else', async () => {
  const { endpoints } = await must(rest(service, '/config'))
  const paths = new Set(endpoints.map((endpoint: string) => endpoint.split(' ')[1]))
  for (const path of paths as Set<string>) {
    const concrete = path
      .replace('/v1/{prefix}', '')
      .replace('/v1/', '/')
      .replaceAll(/\{[^}]+\}/g, 'x')
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PUT', 'PATCH']) {
      const { status } = await rest(service, concrete, { method })
      const isServed = status !== 405
      expect([method, path, isServed]).toEqual([
        method,
        path,
        endpoints.includes(`${method} ${path}`),
      ])
    }
  }
})

test('no definite refusal looks like an unknown outcome of a commit', () => {
  const inDoubt = PROBLEM_CODES.filter((code) =>
    [500, 502, 503, 504].includes(PROBLEMS[code].iceberg.status),
  )
  expect(inDoubt).toEqual([
    'commit-state-unknown',
    'dump-not-ready',
    'engine-failed',
    'internal',
    'metadata-corrupt',
  ])
})
