import { z } from 'zod'
import { cutPage, pageToken, parsePageToken } from '../../src/http/page-token.ts'

const Position = z.tuple([z.array(z.string()), z.string()])

test('a token says where its page begins', () => {
  const position = [['a', 'ä'], 'b']
  expect(parsePageToken(pageToken(position), Position)).toEqual(position)
})

test('what was not issued is refused, also a text that no database takes', () => {
  const made = [[['a'], 'b\0'], [['\0'], 'b'], [['a']], 'a'].map(pageToken as never) as string[]
  for (const token of [...made, '', 'x', '%']) {
    expect(() => parsePageToken(token, Position)).toThrow('Invalid page token')
  }
})

test('a page has a next one only if more was found, which begins after its last item', () => {
  const cut = (found: readonly string[]) => cutPage(found, 2, (last) => [['a'], last])
  expect(cut([])).toEqual({ items: [], nextPageToken: null })
  expect(cut(['x'])).toEqual({ items: ['x'], nextPageToken: null })
  expect(cut(['x', 'y'])).toEqual({ items: ['x', 'y'], nextPageToken: null })
  const { items, nextPageToken } = cut(['x', 'y', 'z'])
  expect(items).toEqual(['x', 'y'])
  expect(parsePageToken(nextPageToken ?? '', Position)).toEqual([['a'], 'y'])
})
