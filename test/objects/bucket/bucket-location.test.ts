import {
  BucketLocations,
  BucketRoots,
  isUsableKey,
} from '../../../src/objects/bucket/bucket-location.ts'
import { refusalOf } from '../../refusal.ts'

const LOCATIONS = new BucketLocations(['s3', 's3a'])

const codeOf = (place: () => unknown) => refusalOf(place).code

test('a location is a bucket and a key, by its own scheme and its aliases', () => {
  const place = { bucket: 'lake.one', key: 'a/b c%2F/x' }
  expect(LOCATIONS.placeOfObject('s3://lake.one/a/b c%2F/x')).toEqual(place)
  expect(LOCATIONS.placeOfObject('s3a://lake.one/a/b c%2F/x')).toEqual(place)
  expect(LOCATIONS.placeOfFolder('s3://lake.one')).toEqual({ bucket: 'lake.one', key: '' })
  expect(LOCATIONS.placeOfFolder('s3://lake.one/')).toEqual({ bucket: 'lake.one', key: '' })
  expect(LOCATIONS.placeOfFolder('s3://lake.one/a/')).toEqual({ bucket: 'lake.one', key: 'a' })
})

test.each([
  ['another scheme', 'gs://lake/a'],
  ['a scheme in capitals', 'S3://lake/a'],
  ['no bucket', 's3:///a'],
  ['a bucket of two letters', 's3://ab/a'],
  ['a bucket in capitals', 's3://Lake/a'],
  ['a bucket that ends with a dot', 's3://lake./a'],
  ['a bucket with a port', 's3://lake:80/a'],
  ['a bucket alone', 's3://lake'],
  ['a folder', 's3://lake/a/'],
  ['a segment that is empty', 's3://lake/a//b'],
  ['a segment of two dots', 's3://lake/a/../b'],
  ['a key of 1,025 bytes', `s3://lake/${'ä'.repeat(512)}x`],
])('%s names no object', (_what, location) => {
  expect(codeOf(() => LOCATIONS.placeOfObject(location))).toBe('location-invalid')
})

test('a key has up to 1,024 bytes, a bucket up to 222 characters', () => {
  const key = 'ä'.repeat(512)
  expect(LOCATIONS.placeOfObject(`s3://lake/${key}`).key).toBe(key)
  const bucket = 'b'.repeat(222)
  expect(LOCATIONS.placeOfObject(`s3://${bucket}/a`).bucket).toBe(bucket)
  expect(codeOf(() => LOCATIONS.placeOfObject(`s3://${bucket}b/a`))).toBe('location-invalid')
})

test('only what lies in a folder that is allowed may be used, by whole names', () => {
  const roots = new BucketRoots('read', LOCATIONS, ['s3://lake/warehouse', 's3://whole'])
  for (const location of ['s3://lake/warehouse/a', 's3://whole/a', 's3a://lake/warehouse/a/b']) {
    roots.placeOfObject(location)
  }
  roots.placeOfFolder('s3://lake/warehouse')
  roots.placeOfFolder('s3://whole')
  for (const location of [
    's3://lake/warehouse2/a',
    's3://lake/ware',
    's3://lake/a',
    's3://other/warehouse/a',
    's3://whole2/a',
  ]) {
    expect(codeOf(() => roots.placeOfObject(location))).toBe('location-not-allowed')
    expect(codeOf(() => roots.placeOfFolder(location))).toBe('location-not-allowed')
  }
  expect(codeOf(() => roots.placeOfFolder('s3://lake'))).toBe('location-not-allowed')
})

test('keys that are no part of a location are passed over in listings', () => {
  expect(['a', 'a/b', 'a b'].map(isUsableKey)).toEqual([true, true, true])
  expect(['', 'a/', 'a//b', '/a', 'a/../b', 'a\\b'].some(isUsableKey)).toBe(false)
})
