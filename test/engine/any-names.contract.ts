import { rename } from '../formats/parquet/edited-footer.ts'
import { Bench, field, type OpenEngine, schemaOf, sourceOf } from './engine-samples.ts'

/** Engines and older versions made tables whose names DuckDB would not tell apart, or refuse. */
export function describeAnyNames(name: string, open: OpenEngine): void {
  describe(`names in text that the engine ${name} writes`, () => {
    let bench: Bench

    beforeAll(async () => {
      bench = await Bench.open(open)
    })
    afterAll(() => bench.close())

    test.each([
      ['a', 'A'],
      ['', 'b'],
      ['a\u0000', 'a'],
    ])('%j and %j, outside and inside of structs', async (one, two) => {
      const path = await bench.parquet(
        `SELECT 1::BIGINT AS left_one, 'x' AS right_one, ` +
          `[{left_two: 2::BIGINT, right_two: 'y'}, NULL] AS nested`,
      )
      for (const [from, to] of [
        ['left_one', one],
        ['right_one', two],
        ['left_two', one],
        ['right_two', two],
      ] as const) {
        rename(path, from, to)
      }
      const fields = [field(5, one, 'long'), field(6, two, 'string')]
      const element = { kind: 'struct', fields } as const
      const list = { kind: 'list', elementId: 4, elementRequired: false, element } as const
      const schema = schemaOf(field(1, one, 'long'), field(2, two, 'string'), field(3, 'n', list))
      const source = { ...sourceOf(path, schema) }
      const columns = source.columns.map((column, i) => ({
        ...column,
        nameInFile: i === 2 ? 'nested' : column.nameInFile,
      }))
      const text = (format: 'csv' | 'tsv' | 'ndjson' | 'json') =>
        bench.exportText({ source: { ...source, columns }, schema, target: { format } })
      const struct = JSON.stringify({ [one]: 2, [two]: 'y' })
      const row = `${JSON.stringify(one)}:1,${JSON.stringify(two)}:"x","n":[${struct},null]`
      expect(await text('ndjson')).toBe(`{${row}}\n`)
      expect(await text('json')).toBe(`    [1,"x",[${struct},null]],\n`)
      const quoted = `"${`[${struct},null]`.replaceAll('"', '""')}"`
      expect(await text('csv')).toBe(`1,x,${quoted}\n`)
      expect(await text('tsv')).toBe(`1\tx\t${quoted}\n`)
    })
  })
}
