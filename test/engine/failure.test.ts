import { CatalogError } from '../../src/core/errors.ts'
import { OutOfMemoryError, taskFailure } from '../../src/engine/worker/sql/failure.ts'

test.each([
  'Out of Memory Error: could not allocate block of size 256.0 KiB',
  'std::bad_alloc',
  // As zstd says it, in a child whose address space other tasks have used up.
  'IO Error: Allocation error : not enough memory',
  'IO Error: Could not read from file "source-1.parquet": Cannot allocate memory',
])('a shortage of memory is never called a corrupt file: %s', (message) => {
  const failure = taskFailure(new Error(message), '/a.parquet', 'file-corrupt')
  expect(failure).toBeInstanceOf(OutOfMemoryError)
  expect(failure).toMatchObject({ code: 'engine-failed', facts: { file: '/a.parquet' } })
})

const failed = (error: unknown, otherwise: 'file-corrupt' | 'engine-failed' = 'file-corrupt') =>
  taskFailure(error, '/a.parquet', otherwise)

test.each([
  'IO Error: No space left on device',
  'write EDQUOT',
  'Out of Memory Error: max_temp_directory_size reached',
])('a full disk is told as such: %s', (message) => {
  expect(failed(new Error(message)).code).toBe('storage-full')
})

test('the engine and the system are blamed for their own faults, files for theirs', () => {
  const fault = (message: string) => failed(new Error(message)).code
  expect(fault('Binder Error: no such column')).toBe('engine-failed')
  expect(fault('INTERNAL Error: assertion')).toBe('engine-failed')
  expect(fault('Invalid Error: bad page')).toBe('file-corrupt')
  expect(fault('Not implemented Error: BROTLI')).toBe('file-unsupported')
  expect(failed(new Error('Invalid Error: bad page'), 'engine-failed').code).toBe('engine-failed')
  const system = Object.assign(new Error('EIO: i/o error'), { syscall: 'read' })
  expect(failed(system).code).toBe('engine-failed')
  const missing = Object.assign(new Error('gone'), { code: 'ENOENT', path: '/b', syscall: 'open' })
  expect(failed(missing)).toMatchObject({ code: 'file-not-found', facts: { file: '/b' } })
})

test.each([
  new Error('Invalid Input Error: Max expression depth limit of 1000 exceeded.'),
  new Error('Binder Error: Max expression depth limit of 1000 exceeded.'),
  new RangeError('Invalid string length'),
  new TypeError('cannot read properties of undefined'),
  Object.assign(new Error('unreachable'), { name: 'RuntimeError' }),
])('what our own SQL and code are the reason for is never called a corrupt file: %s', (error) => {
  expect(failed(error)).toMatchObject({ code: 'engine-failed', facts: { file: '/a.parquet' } })
})

test('what was translated stays as it is, and messages are cut', () => {
  const own = new CatalogError('body-too-large', 'too large')
  expect(failed(own)).toBe(own)
  const long = 'x'.repeat(2_000)
  expect(failed(new Error(`Invalid Error: ${long}\nsecond line`)).message.length).toBeLessThan(600)
  const refusal = failed(new Error(`Invalid Input Error: not converted: ${long}`))
  expect(refusal.code).toBe('file-unsupported')
  expect(refusal.message.length).toBeLessThan(600)
})
