import { spawnSync } from 'node:child_process'
import { elementNames } from '../../../src/engine/worker/sql/xml-dialect.ts'

test.each([
  ['PM10 µg/m³', 'PM10__g_m_'],
  ['m²', 'm_'],
  ['Nº', 'N_'],
  ['½', '_'],
  ['①', '_'],
  ['ⅷ', '_'],
  ['ᵃ', '_'],
  ['𝒳', '_'],
  ['x:y', 'x_y'],
  ['a\u200db', 'a_b'],
  ['é', 'é'],
  ['ключ', 'ключ'],
  ['温度', '温度'],
  ['〇', '〇'],
  ['a·b', 'a·b'],
  ['a٣', 'a٣'],
  ['٣', '_٣'],
  ['o\u0301', 'o\u0301'],
  ['xmlns', '_xmlns'],
])('a column %s is an element %s', (column, element) => {
  expect(elementNames([column])).toEqual([element])
})

const PARSE =
  'import sys, xml.parsers.expat as e; e.ParserCreate().Parse(sys.stdin.buffer.read(), True)'
const { status } = spawnSync('python3', ['-c', 'import xml.parsers.expat'])
const testWithExpat = status === 0 ? test : (test.skip as typeof test)

testWithExpat('a parser reads the element of every character, first and later', () => {
  const columns: string[] = []
  for (let code = 0; code < 0x2_0000; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue
    const character = String.fromCodePoint(code)
    columns.push(character, `a${character}`)
  }
  const elements = elementNames(columns)
  expect(new Set(elements).size).toBe(columns.length)
  const document = `<data>${elements.map((element) => `<${element}/>`).join('')}</data>`
  const parsed = spawnSync('python3', ['-c', PARSE], { input: document })
  expect([parsed.status, parsed.stderr.toString()]).toEqual([0, ''])
})
