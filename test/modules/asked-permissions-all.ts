import { EXPECTED, type Expected } from './asked-permissions.ts'
import { ACCESS_EXPECTED } from './asked-permissions-access.ts'
import { DATASETS_EXPECTED } from './asked-permissions-datasets.ts'
import { EXPORTS_EXPECTED } from './asked-permissions-exports.ts'
import { ICEBERG_EXPECTED } from './asked-permissions-iceberg.ts'

/** A request for each route, by its operation id, and what it asks for. */
export const ALL_EXPECTED: Readonly<Record<string, Expected>> = {
  ...EXPECTED,
  ...ACCESS_EXPECTED,
  ...DATASETS_EXPECTED,
  ...EXPORTS_EXPECTED,
  ...ICEBERG_EXPECTED,
}
