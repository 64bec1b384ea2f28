/**
 * What names are compared by. Code point by code point, so that the key of a prefix is a prefix of
 * the key.
 */
export function nameKey(name: string): string {
  return Array.from(name, (character) => character.toLowerCase()).join('')
}
