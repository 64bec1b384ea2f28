/** A name in quotes, as SQL and filters have it. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
