/** `as_at_20240317T235146Z`: the folder of what was written in one transaction. */
export function asAtFolder(atMs: number): string {
  const [seconds] = new Date(atMs).toISOString().replaceAll(/[-:]/g, '').split('.')
  return `as_at_${seconds}Z`
}
