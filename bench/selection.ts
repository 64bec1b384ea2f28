const SUFFIX = '-bench.ts'

/**
 * The benches that the words select, in order. A word is a bench's name or, if no bench has it, the
 * beginning of names. No words select all; throws for a word that selects none.
 */
export function selectBenches(files: readonly string[], words: readonly string[]): string[] {
  const names = files
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort()
  if (words.length === 0) return names
  const chosen = new Set(words.flatMap((word) => benchesOf(names, word)))
  return names.filter((name) => chosen.has(name))
}

function benchesOf(names: readonly string[], word: string): readonly string[] {
  if (names.includes(word)) return [word]
  const found = names.filter((name) => name.startsWith(word))
  if (found.length === 0) throw new Error(`no bench '${word}': there are ${names.join(', ')}`)
  return found
}

export function fileOfBench(name: string): string {
  return name + SUFFIX
}
