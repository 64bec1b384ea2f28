import { execFileSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'
import { gzipMember } from '../../../../src/modules/dumps/format/gzip-join.ts'

test('a member says nothing of when and where it was made', async () => {
  const member = await gzipMember(Buffer.from('id,name\n'))
  expect([...member.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
  expect(await gzipMember(Buffer.from('id,name\n'))).toEqual(member)
})

test('members one after another are one file, for Node and for gzip', async () => {
  const texts = ['id,name\n', '', '1,a\n2,b\n', '3,c\n']
  const members = await Promise.all(texts.map((text) => gzipMember(Buffer.from(text))))
  const file = Buffer.concat(members)
  expect(gunzipSync(file).toString()).toBe(texts.join(''))
  expect(execFileSync('gzip', ['-dc'], { input: file }).toString()).toBe(texts.join(''))
})
