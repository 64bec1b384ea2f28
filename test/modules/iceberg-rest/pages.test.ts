import { PAGE_SIZE_MAX, readPages } from '../../../src/modules/iceberg-rest/page.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { must, rest } from './http/rest-client.ts'

/** A list of so many numbers as texts of one length, and what was asked of it. */
function numbers(count: number) {
  const all = Array.from({ length: count }, (_, i) => String(i).padStart(5, '0'))
  const limits: number[] = []
  const listing = {
    list: (after: string | undefined, limit: number) => {
      limits.push(limit)
      const from = after === undefined ? 0 : Number(after) + 1
      return Promise.resolve(all.slice(from, from + limit))
    },
    position: (item: string) => item,
  }
  return { all, limits, listing }
}

test.each([0, 1, 999, 1_000, 1_001, 2_000, 3_456])(
  'without a page token all %i items are listed, read in bounded pieces',
  async (count) => {
    const { all, limits, listing } = numbers(count)
    expect(await readPages({}, listing)).toEqual({ items: all, nextPageToken: null })
    expect(Math.max(...limits)).toBeLessThanOrEqual(PAGE_SIZE_MAX)
    expect(limits).toHaveLength(Math.floor(count / PAGE_SIZE_MAX) + 1)
  },
)

test('a page has the size that is wished, at most 1,000, and 100 unless said', async () => {
  const { all, listing } = numbers(1_500)
  const sizes: [number | undefined, number][] = [
    [undefined, 100],
    [1, 1],
    [1_000, 1_000],
    [1_200, 1_000],
  ]
  for (const [pageSize, size] of sizes) {
    const page = { pageToken: '', ...(pageSize === undefined ? {} : { pageSize }) }
    const { items, nextPageToken } = await readPages(page, listing)
    expect(items).toEqual(all.slice(0, size))
    const next = await readPages({ ...page, pageToken: String(nextPageToken) }, listing)
    expect(next.items).toEqual(all.slice(size, 2 * size))
  }
  const last = await readPages({ pageToken: '', pageSize: 1_000 }, numbers(1_000).listing)
  expect(last.nextPageToken).toBeNull()
})

describe('over HTTP', () => {
  let service: TestService
  beforeAll(async () => {
    service = await startTestService()
  })
  afterAll(() => service.close())

  test('more than a thousand namespaces are listed at once', async () => {
    const names = Array.from({ length: 1_001 }, (_, i) => `n${String(i).padStart(4, '0')}`)
    const { namespaces: store } = service.deps.catalog
    // Together, in few transactions.
    await Promise.all(names.map((name) => store.create({ levels: ['many', name], properties: {} })))
    const { namespaces } = await must(rest(service, '/namespaces?parent=many'))
    expect(namespaces).toEqual(names.map((name) => ['many', name]))
  })
})
