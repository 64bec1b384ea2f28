/**
 * Removes trailing slashes, as Iceberg's Java library does, except those of `s3://`; the rest is
 * kept verbatim.
 */
export function withoutSlashes(location: string): string {
  let end = location.length
  while (location[end - 1] === '/' && location.slice(end - 3, end) !== '://') end -= 1
  return location.slice(0, end)
}
