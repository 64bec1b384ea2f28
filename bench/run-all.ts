/** `npm run bench`: every measurement, one after the other; each prints its machine, load and peer. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const wanted = process.argv.slice(2)
const benches = readdirSync(FOLDER)
  .filter((name) => name.endsWith('-bench.ts'))
  .filter((name) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)))

let code = 0
for (const bench of benches) {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', FOLDER + bench], {
    stdio: 'inherit',
  })
  if (status !== 0) code = 1
}
process.exitCode = code
