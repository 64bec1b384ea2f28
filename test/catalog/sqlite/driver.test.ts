import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

test('the SQLite driver is not compiled against headers with which it aborts the process', () => {
  const home = dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'))
  const driver = readFileSync(join(home, 'build/Release/better_sqlite3.node'))
  // A hook that Node 24.19 and later remove at each collection: docs/decisions/0005.
  expect(driver.includes('RemoveEnvironmentCleanupHook')).toBe(false)
})
