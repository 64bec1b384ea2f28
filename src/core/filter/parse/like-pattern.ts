/** What pruning can know of a LIKE pattern. */
export interface LikePattern {
  /** Every match begins with it; wildcards and escapes are undone. */
  readonly prefix: string
  /** `exact`: the prefix is the only match. `prefix`: everything with the prefix matches. `other`: some of it does. */
  readonly kind: 'exact' | 'prefix' | 'other'
}

/**
 * `%` is any text, `_` any character, a backslash takes the next character to the letter.
 * `undefined` when the pattern ends in a backslash.
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
