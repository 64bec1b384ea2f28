import { OutOfMemoryError, taskFailure } from '../../src/engine/worker/sql/failure.ts'

test.each([
  'Out of Memory Error: could not allocate block of size 256.0 KiB',
  'std::bad_alloc',
  // As zstd says it, in a child whose address space other tasks have used up.
  'IO Error: Allocation error : not enough memory',
])('a shortage of memory is never called a corrupt file: %s', (message) => {
  const failure = taskFailure(new Error(message), '/a.parquet', 'file-corrupt')
  expect(failure).toBeInstanceOf(OutOfMemoryError)
  expect(failure).toMatchObject({ code: 'engine-failed', facts: { file: '/a.parquet' } })
})
