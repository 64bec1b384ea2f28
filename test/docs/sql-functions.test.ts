import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL_FUNCTIONS } from '../../src/engine/worker/query/sql-functions.ts'

test('the functions of SQL in the docs are those that there are', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/rows.md'), 'utf8')
  const [, section = ''] = text.split('### Functions of SQL\n')
  const [lists = ''] = section.split('\n## ')
  const items = lists.slice(lists.indexOf('\n- '))
  const named = [...items.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  expect(named.toSorted()).toEqual([...SQL_FUNCTIONS].toSorted())
})
