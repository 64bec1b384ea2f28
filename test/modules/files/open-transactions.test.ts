import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService
let aheadMs = 0
beforeAll(async () => {
  service = await startTestService({ ambient: { nowMs: () => Date.now() + aheadMs } })
})
afterAll(() => service.close())

const start = async (json: object = {}): Promise<string> =>
  (await must(post(service, '/v1/transactions/start', json), 201)).transaction_id
const list = async (query = '') => must(ask(service, `/v1/transactions${query}`))
const idsOf = (page: { readonly transactions: readonly { transaction_id: string }[] }) =>
  page.transactions.map(({ transaction_id }) => transaction_id)

test('open transactions are listed in pages, newest first; those that ended are not', async () => {
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.push(await start({ author: `author ${i}` }))
  const aborted = await start()
  await must(post(service, '/v1/transactions/abort', { transaction_id: aborted }))
  const committed = await start()
  await must(post(service, '/v1/transactions/commit', { transaction_id: committed }))
  const found: string[] = []
  let token: string | null = ''
  for (let pages = 0; token !== null; pages++) {
    expect(pages).toBeLessThan(3)
    const page = await list(`?state=open&page_size=2${token && `&page_token=${token}`}`)
    found.push(...idsOf(page))
    token = page.next_page_token
  }
  expect([...found].sort()).toEqual([...ids].sort())
  expect(await list('?page_size=1')).toMatchObject({ transactions: [{ state: 'open' }] })
  const times = (await list()).transactions.map((each: { created_at: string }) => each.created_at)
  expect(times).toEqual([...times].sort().reverse())
})

test('one that has expired is no longer open, and listed as expired', async () => {
  const id = await start({ expires_in_seconds: 1 })
  expect(idsOf(await list())).toContain(id)
  aheadMs += 1_000
  expect(idsOf(await list())).not.toContain(id)
  expect(await list('?state=expired')).toMatchObject({
    transactions: [{ transaction_id: id, state: 'expired' }],
  })
})

test('a token of another list is refused', async () => {
  const { body } = await ask(service, '/v1/transactions?page_token=WzFd')
  expect(body.type).toBe('/problems/page-token-invalid')
})
