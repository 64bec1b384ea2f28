/** The folder of one dump, with a slash at its end: its index is there, and what is beside it. */
export function homeOf(location: string): string {
  return location.replace(/[^/]*$/, '')
}
