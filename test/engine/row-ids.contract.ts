import { parquetMetadata } from 'hyparquet'
import { withRowIdFields } from '../../src/core/file/row-id-fields.ts'
import { parseFilter } from '../../src/core/filter/parse/filter-parser.ts'
import { bindRowFilter } from '../../src/core/query/row-filter.ts'
import type { SourceFile, SourceRestriction } from '../../src/engine/engine.ts'
import { querySql } from '../parquet-files.ts'
import { Bench, field, type OpenEngine, rowBits, schemaOf, sourceOf } from './engine-samples.ts'

const SCHEMA = schemaOf(field(1, 'i', 'long'))
const WITH_IDS = withRowIdFields(SCHEMA)
const TEN = 'SELECT range AS i FROM range(10)'

/** What an engine promises of rows that move to another file (Iceberg spec, "Row Lineage"). */
export function describeRowIds(name: string, open: OpenEngine): void {
  describe(`row ids in the engine ${name}`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    async function moved(
      source: SourceFile,
      restriction?: SourceRestriction,
    ): Promise<readonly unknown[]> {
      const target = { format: 'parquet' } as const
      const { path, bytes } = await bench.export({ source, schema: WITH_IDS, restriction, target })
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
      const { schema } = parquetMetadata(file as ArrayBuffer)
      expect(schema.slice(1).map(({ field_id: id, name: own }) => [id, own])).toEqual([
        [1, 'i'],
        [2147483540, '_row_id'],
        [2147483539, '_last_updated_sequence_number'],
      ])
      const rows = await querySql(`SELECT * FROM read_parquet('${path}')`)
      return rows.map((row) => Object.values(row).map((value) => value && Number(value)))
    }

    test('are by the position in the source, deleted rows counted', async () => {
      const path = await bench.parquet(TEN)
      const source = {
        ...sourceOf(path, SCHEMA),
        columns: [
          { fieldId: 1, nameInFile: 'i' },
          { fieldId: 2147483540, nameInFile: undefined },
          { fieldId: 2147483539, nameInFile: undefined },
        ],
        rowIds: { firstRowId: 2n ** 40n, sequenceNumber: 7n },
      }
      const idOf = (i: number) => [i, 2 ** 40 + i, 7]
      expect(await moved(source)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(idOf))
      const deletedRows = rowBits([0, 3, 4])
      expect(await moved({ ...source, deletedRows })).toEqual([1, 2, 5, 6, 7, 8, 9].map(idOf))
      const filter = bindRowFilter(parseFilter('i < 6'), SCHEMA)
      const actions = new Map()
      const others = { readAs: WITH_IDS, filter, actions, isInverted: true }
      expect(await moved({ ...source, deletedRows }, others)).toEqual([6, 7, 8, 9].map(idOf))
      expect(await moved(source, others)).toEqual([6, 7, 8, 9].map(idOf))
    })

    test('are those that the file says of a row, and inherited by the others', async () => {
      const path = await bench.parquet(
        `SELECT i, CASE WHEN i % 2 = 0 THEN 900 - i END AS r, CASE WHEN i > 7 THEN 3 END AS l
           FROM (${TEN})`,
      )
      const source = {
        path,
        columns: [
          { fieldId: 1, nameInFile: 'i' },
          { fieldId: 2147483540, nameInFile: 'r' },
          { fieldId: 2147483539, nameInFile: 'l' },
        ],
      }
      const rowIds = { firstRowId: 100n, sequenceNumber: 7n }
      expect((await moved({ ...source, rowIds })).slice(6)).toEqual([
        [6, 894, 7],
        [7, 107, 7],
        [8, 892, 3],
        [9, 109, 3],
      ])
      // Rows from before the table had ids.
      const none = { firstRowId: undefined, sequenceNumber: 7n }
      expect((await moved({ ...source, rowIds: none })).slice(8)).toEqual([
        [8, 892, 3],
        [9, null, 3],
      ])
    })
  })
}
