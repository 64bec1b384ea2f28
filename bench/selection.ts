const SUFFIX = '-bench.ts'

/**
 * The benches of these files that the words mean, in order: a word is a bench's name or, where
 * there is none of that name, how names begin. All without words; throws for a word that means
 * none.
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
