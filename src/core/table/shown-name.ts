/** Longest part of a name that a message repeats, in characters. */
const SHOWN_MAX = 200

/** The text as messages repeat it, cut short if it is long. */
export function shown(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`
}

/** Dotted, as Iceberg's Java library shows it. */
export function shownNamespace(levels: readonly string[]): string {
  return shown(levels.join('.'))
}

/** Dotted, with its namespace. */
export function shownName({
  namespace,
  name,
}: {
  readonly namespace: readonly string[]
  readonly name: string
}): string {
  return shownNamespace([...namespace, name])
}
