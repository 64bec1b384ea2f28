const SCHEME = /^([a-z][a-z0-9]*):\/\//

/** Finds what serves the locations of a scheme; `undefined` for a scheme without, and for paths. */
export function byScheme<T>(all: ReadonlyMap<string, T>): (location: string) => T | undefined {
  return (location) => all.get(SCHEME.exec(location)?.[1] ?? '')
}
