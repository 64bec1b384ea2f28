/** What pruning can use of a LIKE pattern. */
export interface LikePattern {
  /** Every match starts with this text, which has no wildcards or escapes. */
  readonly prefix: string
  /**
   * `exact`: only the prefix itself matches. `prefix`: everything with the prefix matches. `other`:
   * some of it does.
   */
  readonly kind: 'exact' | 'prefix' | 'other'
}

/**
 * Parses `%` as any text, `_` as any character, and a backslash as an escape of the next character.
 * Returns `undefined` if the pattern ends in a backslash.
 */
export function parseLikePattern(pattern: string): LikePattern | undefined {
  let prefix = ''
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i)
    if (character === '%' || character === '_') {
      const rest = pattern.slice(i)
      if (endsInEscape(rest)) return undefined
      return { prefix, kind: /^%+$/.test(rest) ? 'prefix' : 'other' }
    }
    if (character === '\\' && ++i === pattern.length) return undefined
    prefix += pattern.charAt(i)
  }
  return { prefix, kind: 'exact' }
}

function endsInEscape(pattern: string): boolean {
  let backslashes = 0
  while (pattern.charAt(pattern.length - 1 - backslashes) === '\\') backslashes++
  return backslashes % 2 === 1
}
