/**
 * Throws `path-not-readable` unless the caller may read the file at each of these paths, whether
 * there is one or not. `ownLocation` is that of a table that the same request makes. Returns a
 * promise only if something must be looked up.
 */
export type RequirePaths = (
  paths: readonly string[],
  ownLocation?: string,
) => Promise<void> | undefined
