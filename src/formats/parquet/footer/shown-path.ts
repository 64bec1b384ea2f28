const LENGTH_MAX = 500

/** The path of a column for people, who are told of up to a hundred of them at once. */
export function shownPath(path: string | readonly string[]): string {
  const text = typeof path === 'string' ? path : path.join('.')
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text
}
