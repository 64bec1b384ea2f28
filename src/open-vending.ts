import type { Config } from './config.ts'
import type { ObjectVending } from './objects/object-vending.ts'
import { schemedVending } from './objects/schemed-vending.ts'
import type { Opened } from './opened.ts'

/** Opens what engines are given for the stores that are used. Asks no store anything. */
export async function openVending(
  config: Config,
  nowMs: () => number,
  opened: Opened,
): Promise<ObjectVending> {
  const { s3, warehouse, writableLocations, allowedLocations, vending } = config
  const byScheme = new Map<string, ObjectVending>()
  const roots = (pattern: RegExp) => ({
    writableRoots: [warehouse, ...writableLocations].filter((root) => pattern.test(root)),
    readableRoots: allowedLocations.filter((root) => pattern.test(root)),
  })
  const inS3 = roots(/^s3:/)
  if (hasAny(inS3)) {
    const { openS3Vending } = await import('./objects/s3/s3-vending.ts')
    const options = {
      ...{ ...inS3, ...s3, nowMs, isOn: vending.isOn, engineEndpoint: s3.publicEndpoint },
      ...{ role: vending.s3Role, stsEndpoint: vending.s3StsEndpoint },
      engineCredentials: vending.s3EngineCredentials,
    }
    const opening = opened.add(await openS3Vending(options), (it) => it.close())
    for (const scheme of ['s3', 's3a', 's3n']) byScheme.set(scheme, opening)
  }
  return schemedVending(byScheme)
}

function hasAny(roots: Readonly<Record<string, readonly string[]>>): boolean {
  return Object.values(roots).some(({ length }) => length > 0)
}
