import type { Config } from './config.ts'
import type { ObjectVending } from './objects/object-vending.ts'
import { schemedVending } from './objects/schemed-vending.ts'
import { hasAny, rootsOf } from './open-objects.ts'
import type { Opened } from './opened.ts'

/** Opens what engines are given for the stores that are used. Asks no store anything. */
export async function openVending(
  config: Config,
  nowMs: () => number,
  opened: Opened,
): Promise<ObjectVending> {
  const { s3, gcs, vending } = config
  const byScheme = new Map<string, ObjectVending>()
  const inS3 = rootsOf(config, 's3')
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
  const inGcs = rootsOf(config, 'gs')
  if (hasAny(inGcs)) {
    const { GcsVending } = await import('./objects/gcs/gcs-vending.ts')
    const options = {
      ...inGcs,
      ...gcs,
      nowMs,
      isOn: vending.isOn,
      stsEndpoint: vending.gcsStsEndpoint,
    }
    byScheme.set('gs', new GcsVending(options))
  }
  return schemedVending(byScheme)
}
