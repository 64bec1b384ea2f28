import type { ManifestFile } from '../../../../src/core/file/data-file.ts'
import type { TableDefinition } from '../../../../src/core/table/table.ts'
import type { Schema } from '../../../../src/core/value/type.ts'
import { requireUnconverted } from '../../../../src/modules/iceberg-rest/snapshots/unconverted-files.ts'
import { field } from '../../../engine/engine-samples.ts'

/** How often the fields of a schema of the table were looked at. */
let looks = 0

function looked(schemaId: number, id: number, type: 'long' | 'double'): Schema {
  return {
    schemaId,
    identifierFieldIds: [],
    get fields() {
      looks++
      return [field(id, 'n', type)]
    },
  }
}

test('what was converted since is found out once, however many manifests there are', () => {
  const schemas = Array.from({ length: 20 }, (_, i) => looked(i, 1, 'long'))
  schemas.push(looked(20, 2, 'double'))
  const definition = { schemas, currentSchemaId: 20, formatVersion: 2, properties: {} }
  const check = () =>
    requireUnconverted(
      definition as unknown as TableDefinition,
      { path: 'm.avro' } as ManifestFile,
      {
        schemaId: 3,
        schema: { schemaId: 3, identifierFieldIds: [], fields: [field(1, 'n', 'long')] },
      },
    )
  expect(check).toThrow('column n was converted')
  looks = 0
  for (let i = 0; i < 100; i++) expect(check).toThrow('column n was converted')
  expect(looks).toBe(0)
})
