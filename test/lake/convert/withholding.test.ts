import { CatalogError } from '../../../src/core/errors.ts'
import type { RowRestriction } from '../../../src/core/table/restriction.ts'
import { withholding } from '../../../src/lake/convert/data-file-faults.ts'

const restriction: RowRestriction = {
  ...{ filter: undefined, filterFields: [], actions: new Map(), text: '' },
  policy: { rowFilter: null, except: [] },
}
const path = 'file:///lake/pay=9/data.parquet'

function told(code: ConstructorParameters<typeof CatalogError>[0], facts: object): CatalogError {
  const error = new CatalogError(code, `${path} has 7 rows`, { facts: { path, ...facts } })
  return withholding(error, restriction) as CatalogError
}

test('failures of files name none to who is restricted', () => {
  for (const code of ['file-corrupt', 'data-file-changed', 'location-invalid'] as const) {
    const { facts, message, code: kept } = told(code, { rows: 7, recordCount: 8 })
    expect([kept, facts]).toEqual([code, {}])
    expect(message).not.toMatch(/pay|7/)
  }
})

test('what makes a query too costly is told all the same', () => {
  expect(told('engine-failed', { timeoutMs: 60_000 }).facts).toEqual({ timeoutMs: 60_000 })
  expect(told('engine-failed', { isOutOfMemory: true }).facts).toEqual({ isOutOfMemory: true })
})

test('other refusals are as they are', () => {
  const error = new CatalogError('query-invalid', 'no column x')
  expect(withholding(error, restriction)).toBe(error)
  const damaged = new CatalogError('file-corrupt', path)
  expect(withholding(damaged, 'unrestricted')).toBe(damaged)
})
