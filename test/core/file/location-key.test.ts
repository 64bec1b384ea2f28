import fc from 'fast-check'
import { isBelow, locationKey } from '../../../src/core/file/location-key.ts'

test('all spellings of a local file have one key', () => {
  const spellings = [
    'file:///data/a%20b/x.parquet',
    'file:/data/a%20b/x.parquet',
    '/data/a%20b/x.parquet',
    'FILE:///data/a%20b/x.parquet',
    'file://localhost/data/a%20b/x.parquet',
    'file:////data//a%20b///x.parquet',
    '//data/a%20b/x.parquet',
    'file:/data/./a%20b/x.parquet/',
    '/data/a%20b/x.parquet//',
    '/data/a%20b/x.parquet/.',
  ]
  expect(new Set(spellings.map(locationKey))).toEqual(new Set(['file:///data/a%20b/x.parquet']))
  expect(['/', 'file:///', 'file:/', '//'].map(locationKey)).toEqual(Array(4).fill('file:///'))
})

test('what is encoded, climbs or has another case is another file', () => {
  const texts = [
    'file:///data/a b',
    'file:///data/a%20b',
    'file:///data/A b',
    'file:///data/c/../a b',
    'file:///data/..a b',
    'file:///data/.a b',
    'file:///data/a b.',
    'file://host/data/a b',
    'file:data/a b',
    'data/a b',
  ]
  expect(texts.map(locationKey)).toEqual(texts)
})

test('in buckets only the names of the scheme are folded', () => {
  expect(locationKey('s3a://bucket/k//x/')).toBe('s3://bucket/k//x/')
  expect(locationKey('S3N://bucket/k')).toBe('s3://bucket/k')
  for (const text of ['s3://b/k/./x', 's3://b/k//x', 's3://b/k/', 'gs://b//k', 's3b://b/k']) {
    expect(locationKey(text)).toBe(text)
  }
  expect(new Set(['s3://b/k//x', 's3://b/k/x'].map(locationKey)).size).toBe(2)
})

test('the key of a key is the key', () => {
  const part = fc.constantFrom('/', '//', '.', '..', 'a', '%2F', 'file:', 's3a:', 'localhost', ' ')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const key = locationKey(parts.join(''))
      expect(locationKey(key)).toBe(key)
    }),
  )
})

test('a location is below its folders, however they are spelled', () => {
  const folders = ['file:///wh/t', 'file:/wh/t/', '/wh//t', 'file:///wh', '/']
  for (const folder of folders) {
    expect(isBelow(folder, 'file:/wh//t/data/x')).toBe(true)
    expect(isBelow(folder, 'file:///wh/t/../t/x')).toBe(false)
  }
  expect(isBelow('file:///wh/t', 'file:///wh/t')).toBe(false)
  expect(isBelow('file:///wh/t', 'file:///wh/t//')).toBe(false)
  expect(isBelow('file:///wh/t', 'file:///wh/t2/x')).toBe(false)
  expect(isBelow('s3://b/t/', 's3a://b/t/x')).toBe(true)
  expect(isBelow('s3://b/t/', 's3://b/t/')).toBe(false)
  expect(isBelow('s3://b/t', 's3://b/t//x')).toBe(true)
  expect(isBelow('s3://b/t', 's3://b//t/x')).toBe(false)
})
