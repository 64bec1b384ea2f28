import { rangeHeader, totalBytes } from '../../../src/objects/bucket/bucket-range.ts'
import { Cuts } from '../../../src/objects/bucket/cuts.ts'

test('the last byte of a range is part of it', () => {
  expect(rangeHeader({ offset: 0, lengthBytes: 1 })).toBe('bytes=0-0')
  expect(rangeHeader({ offset: 10, lengthBytes: 5 })).toBe('bytes=10-14')
  expect(rangeHeader({ lastBytes: 8 })).toBe('bytes=-8')
})

test('the size of the whole is told behind the slash, or not at all', () => {
  expect(totalBytes('bytes 0-0/12345')).toBe(12_345)
  expect(totalBytes('bytes 0-0/0')).toBe(0)
  expect(totalBytes('bytes 0-0/*')).toBeUndefined()
  expect(totalBytes(undefined)).toBeUndefined()
})

test('five cuts without a MiB of progress are borne, six are too many', () => {
  const cuts = new Cuts()
  for (let i = 1; i <= 5; i++) cuts.at(i * 1024 * 1024)
  expect(cuts.areTooMany).toBe(false)
  cuts.at(6 * 1024 * 1024)
  expect(cuts.areTooMany).toBe(true)
})

test('with more than a MiB of progress each time, cuts are borne for ever', () => {
  const cuts = new Cuts()
  for (let i = 1; i <= 50; i++) cuts.at(i * 1024 * 1024 + i)
  expect(cuts.areTooMany).toBe(false)
  for (let i = 0; i < 5; i++) cuts.at(50 * 1024 * 1024 + 50)
  expect(cuts.areTooMany).toBe(true)
})
