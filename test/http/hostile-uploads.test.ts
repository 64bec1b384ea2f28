import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostileFooters, hostileUploads } from '../../bench/hostile-uploads.ts'
import { documentedDialects } from '../../src/modules.ts'
import { ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'
import { longestTurnMs } from './longest-turn.ts'
import { send } from './send.ts'

/** Three times what a request may hold the event loop. */
const TURN_MS_MAX = 300
/** Of the lengths that the bench sends. */
const SHARE = 1 / 8

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'at', type: 'timestamptz' },
  ]
  await must(post(service, '/v1/tables', { name: 'flights', schema: { columns } }), 201)
})
afterAll(() => service.close())

/** Whether none of its turns is long, once of three times: collections of garbage come by chance. */
async function expectShortTurns(work: () => Promise<{ status: number; text: string }>) {
  const turns: number[] = []
  for (let time = 0; time < 3 && !turns.some((ms) => ms < TURN_MS_MAX); time++) {
    let answer: { status: number; text: string } | string = ''
    turns.push(
      await longestTurnMs(async () => {
        answer = await work().catch(String)
      }),
    )
    // Some are refused before they are sent whole, and the client is cut off.
    if (typeof answer === 'string') expect(answer).toMatch(/EPIPE|ECONN/)
    else expect([answer, (answer as { status: number }).status < 500]).toEqual([answer, true])
  }
  expect(turns).toEqual(expect.arrayContaining([expect.any(Number)]))
  expect(Math.min(...turns)).toBeLessThan(TURN_MS_MAX)
}

const uploads = documentedDialects().flatMap(({ root, routes, paths }) =>
  routes.flatMap((route) =>
    hostileUploads(route, SHARE).map((upload) => ({
      ...upload,
      path: root + paths.served(route.path).replaceAll(/\{.+?\}/g, 'flights'),
    })),
  ),
)

test.each(uploads)('$path $mediaType: $what', async ({ path, mediaType, bytes }) => {
  const body = bytes()
  const headers = { 'Content-Type': mediaType }
  await expectShortTurns(() => send(service.url + path, { method: 'POST', headers, body }))
})

const READS = [
  ...['', '/rows?limit=1', '/rows?limit=1&filter=id%3D1', '/columns/id/statistics'],
  ...['csv', 'parquet', 'arrow'].map((format) => `/dump?format=${format}`),
]

test.each(hostileFooters((count) => Math.ceil(count * SHARE)))('by path: $what', async ({ what, file, isFitting }) => {
  const path = join(service.dataFolder, `${what.replaceAll(/\W/g, '-')}.parquet`)
  await writeFile(path, file())
  await expectShortTurns(() => post(service, '/v1/tables', { name: 'made', infer_from: path }))
  const name = `t${what.replaceAll(/\W/g, '')}`
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'at', type: 'timestamptz' },
  ]
  await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  const add = () => post(service, `/v1/tables/${name}/files`, { files: [{ path }] })
  await expectShortTurns(add)
  if (!isFitting) return
  for (const read of READS) await expectShortTurns(() => ask(service, `/v1/tables/${name}${read}`))
})
