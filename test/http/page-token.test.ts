import { z } from 'zod'
import { pageToken, parsePageToken } from '../../src/http/page-token.ts'

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
