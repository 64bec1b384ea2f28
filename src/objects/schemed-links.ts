import { CatalogError } from '../core/errors.ts'
import { byScheme } from './by-scheme.ts'
import type { ObjectLinks } from './object-links.ts'
import { quoted } from './store-errors.ts'

/** Links of several stores, each for the locations of its scheme; other locations have none. */
export function schemedLinks(all: ReadonlyMap<string, ObjectLinks>): ObjectLinks {
  const of = byScheme(all)
  return {
    canLink: (location) => of(location)?.canLink(location) ?? false,
    signedUrl: async (location, wish) => {
      const links = of(location) ?? hasNone(location)
      return links.signedUrl(location, wish)
    },
    join: async (parts, target, options) => {
      const links = of(target)
      if (links === undefined || parts.some(({ location }) => of(location) !== links)) {
        return 'not-joinable'
      }
      return links.join(parts, target, options)
    },
  }
}

function hasNone(location: string): never {
  throw new CatalogError(
    'not-implemented',
    `${quoted(location)} is in no bucket, so nothing can sign links to it`,
    { facts: { location: quoted(location) } },
  )
}
