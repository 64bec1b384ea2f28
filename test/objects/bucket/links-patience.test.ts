import { BucketLinks, type LinkClient } from '../../../src/objects/bucket/bucket-links.ts'
import { BucketLocations } from '../../../src/objects/bucket/bucket-location.ts'

const wish = {
  method: 'GET' as const,
  expiresInSeconds: 60,
  contentDisposition: 'inline',
  contentType: 'text/csv',
}

/** A signer that has no answer for so many requests: real ones cannot be told to have none. */
function linksOf(failures: number) {
  let asked = 0
  let joins = 0
  const nothing = () => Promise.reject(new Error('nobody asks for it'))
  const client: LinkClient = {
    ...{ head: nothing, delete: nothing, close: () => undefined },
    join: () => {
      joins++
      return Promise.reject(new Error('no answer'))
    },
    sign: async () => {
      asked++
      if (asked <= failures) throw new Error('no answer')
      return 'https://store/signed'
    },
    explain: () => 'busy',
  }
  const roots = { writableRoots: ['gs://lake/t'], readableRoots: [] }
  const links = new BucketLinks({ client, locations: new BucketLocations(['gs']), ...roots })
  return { links, asked: () => asked, joins: () => joins }
}

test('a signer without an answer is asked again', async () => {
  const { links, asked } = linksOf(2)
  expect(await links.signedUrl('gs://lake/t/a', wish)).toBe('https://store/signed')
  expect(asked()).toBe(3)
})

test('a store that is left alone is asked to join nothing', async () => {
  const { links, joins } = linksOf(Number.POSITIVE_INFINITY)
  const parts = [{ location: 'gs://lake/t/a', offset: 0, lengthBytes: 9 }]
  const options = { confirm: async () => undefined, signal: new AbortController().signal }
  for (let i = 0; i < 15; i++) {
    await expect(links.join(parts, 'gs://lake/t/b', options)).rejects.toMatchObject({
      code: 'storage-unavailable',
    })
  }
  // A library tries each join again by itself.
  expect(joins()).toBe(12)
})

test('one that has none for anybody is left alone, and told as unavailable', async () => {
  const { links, asked } = linksOf(Number.POSITIVE_INFINITY)
  for (let i = 0; i < 5; i++) {
    await expect(links.signedUrl('gs://lake/t/a', wish)).rejects.toMatchObject({
      code: 'storage-unavailable',
    })
  }
  // 5 attempts of each of two, 2 of the third: then the circuit is open.
  expect(asked()).toBe(12)
})
