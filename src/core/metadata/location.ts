/** To the letter, but for slashes at the end, as in Iceberg's Java library; those of `s3://` stay. */
export function withoutSlashes(location: string): string {
  let end = location.length
  while (location[end - 1] === '/' && location.slice(end - 3, end) !== '://') end -= 1
  return location.slice(0, end)
}
