import { CatalogError } from '../core/errors.ts'
import { byScheme } from './by-scheme.ts'
import type { ObjectVending } from './object-vending.ts'

/** What each scheme's store gives; local files have nothing to give. */
export function schemedVending(all: ReadonlyMap<string, ObjectVending>): ObjectVending {
  const of = byScheme(all)
  return {
    settingsOf: (folder) => of(folder)?.settingsOf(folder) ?? {},
    vend: async (folder, request) => of(folder)?.vend(folder, request),
    signingSettingsOf: (folder, path) => of(folder)?.signingSettingsOf(folder, path),
    sign: async (folders, request) => {
      const vending = of(folders[0] ?? '')
      if (vending === undefined) throw nothingToSign()
      return vending.sign(folders, request)
    },
  }
}

export function nothingToSign(): CatalogError {
  return new CatalogError(
    'signature-refused',
    'No request for files of this table is signed: only those of tables in S3 are, where ' +
      'MORAINE_VEND is on.',
  )
}
