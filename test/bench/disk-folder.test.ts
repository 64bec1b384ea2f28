import { requireDiskFolder } from '../../bench/disk-folder.ts'

test('a bench refuses a temporary folder that is kept in memory', () => {
  expect(() => requireDiskFolder('/tmp', 0x01021994)).toThrow('set TMPDIR to a folder on a disk')
  expect(() => requireDiskFolder('/tmp', 0x858458f6)).toThrow('kept in memory')
  expect(() => requireDiskFolder('/tmp', 0xef53)).not.toThrow()
})
