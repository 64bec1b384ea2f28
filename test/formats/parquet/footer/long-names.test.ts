import { inferSchemaFields } from '../../../../src/formats/parquet/schema/parquet-schema.ts'
import { matchFileSchema } from '../../../../src/formats/parquet/schema/schema-match.ts'
import { refusal, refusalOf } from '../../../refusal.ts'
import { type SampleNode, sampleFooter } from '../sample-file.ts'

const name = (length: number) => 'n'.repeat(length)
const SCHEMA = {
  ...{ schemaId: 0, identifierFieldIds: [] },
  fields: [
    {
      ...{ id: 1, name: 's', required: false },
      type: {
        kind: 'struct' as const,
        fields: [{ id: 2, name: 'x', required: false, type: { kind: 'long' as const } }],
      },
    },
  ],
}

const members = (count: number, more: Partial<SampleNode> = {}): readonly SampleNode[] =>
  Array.from({ length: count }, (_, i) => ({ name: `m${i}`, physical: 'INT32', ...more }))

test('names of ten thousand bytes are read, longer ones and deeper paths are refused', async () => {
  const short = await sampleFooter({ columns: [{ name: name(10_000), physical: 'INT32' }] })
  expect(short.leaves[0]?.name).toHaveLength(10_000)
  for (const column of [
    { name: name(10_001), physical: 'INT32' as const },
    { name: name(9_999), children: members(1) },
  ]) {
    const { code, message } = await refusal(sampleFooter({ columns: [column] }))
    expect(code).toBe('file-not-parquet')
    expect(message).toContain('more than 10000 bytes')
  }
})

test('the names of all columns together are bounded', async () => {
  const file = (count: number) => ({ columns: [{ name: name(9_000), children: members(count) }] })
  expect((await sampleFooter(file(3_000))).leaves).toHaveLength(3_000)
  expect((await refusal(sampleFooter(file(4_000)))).message).toContain('too long names')
})

test('a refusal repeats no long name, and notes are few', async () => {
  const columns = [{ name: name(9_000), fieldId: 1, children: members(500, { fieldId: 9 }) }]
  const footer = await sampleFooter({ columns })
  const { facts, message } = refusalOf(() => matchFileSchema({ footer, schema: SCHEMA }))
  expect(facts['problems']).toHaveLength(100)
  expect(JSON.stringify(facts).length).toBeLessThan(200_000)
  expect(message.length).toBeLessThan(5_000)
})

test('what has no type in a table is listed up to a hundred columns', async () => {
  const columns = [{ name: name(9_000), children: members(500, { repetition: 'repeated' }) }]
  const footer = await sampleFooter({ columns })
  const { facts, message } = refusalOf(() => inferSchemaFields(footer))
  expect(facts['columns']).toHaveLength(100)
  expect(message).toContain('and 400 more')
  expect(JSON.stringify(facts).length).toBeLessThan(100_000)
})
