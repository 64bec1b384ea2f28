import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A copy of PyIceberg's tests whose integration tests have a folder in place of a bucket. */
export function copyIntegrationTests({
  from,
  to,
  dataFolder,
}: {
  readonly from: string
  readonly to: string
  readonly dataFolder: string
}): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(join(from, 'tests'), join(to, 'tests'), { recursive: true })
  const folder = join(to, 'tests', 'integration')
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.py')) continue
    const path = join(folder, name)
    writeFileSync(path, withFolder(readFileSync(path, 'utf8'), dataFolder))
  }
}

function withFolder(text: string, dataFolder: string): string {
  return text
    .replaceAll('s3://warehouse', `file://${dataFolder}`)
    .replaceAll('startswith("s3://")', 'startswith("file://")')
}
