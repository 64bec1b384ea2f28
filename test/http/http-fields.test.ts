import { createHash } from 'node:crypto'
import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { contentDisposition, reprDigest } from '../../src/http/http-fields.ts'

test('a plain name stands as it is, in both forms', () => {
  expect(contentDisposition('flights-123.csv.gz')).toBe(
    `attachment; filename="flights-123.csv.gz"; filename*=UTF-8''flights-123.csv.gz`,
  )
})

test('another script is exact in the second form and readable ASCII in the first', () => {
  expect(contentDisposition("Flüge 'ß' €.csv")).toBe(
    `attachment; filename="Fl_ge '_' _.csv"; ` +
      `filename*=UTF-8''Fl%C3%BCge%20%27%C3%9F%27%20%E2%82%AC.csv`,
  )
})

test('no name leaves its field, names a folder or turns the direction of text', () => {
  expect(contentDisposition('a"; x="\r\nSet-Cookie: 1')).not.toMatch(/[\r\n]/)
  expect(contentDisposition('../../etc/passwd')).toContain('filename=".._.._etc_passwd"')
  expect(contentDisposition('a\\b\u202egpj.exe')).toContain(`''a_b_gpj.exe`)
  expect(contentDisposition('100%41.csv')).toContain('filename="100_41.csv"')
  const form = /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]*)$/
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const value = contentDisposition(name)
      validateHeaderValue('Content-Disposition', value)
      expect(value).toMatch(form)
      expect(decodeURIComponent(form.exec(value)?.[2] ?? '%')).not.toMatch(/[\p{Cc}/\\]/u)
    }),
  )
})

test('half a surrogate pair does not break the field', () => {
  expect(contentDisposition('a\ud800b')).toContain(`''a%EF%BF%BDb`)
})

test('Repr-Digest is a byte sequence of structured fields', () => {
  const hash = createHash('sha256').update('moraine')
  const expected = `sha-256=:${hash.copy().digest('base64')}:`
  expect(reprDigest(hash.digest('hex'))).toBe(expected)
  expect(() => reprDigest('abcd')).toThrow(RangeError)
})
