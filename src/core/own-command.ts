/** As most people call it who have it installed. */
let program = 'moraine'

/** Says once, at the start, by which words this program is started here. */
export function startedBy(words: string): void {
  program = words
}

/** A command of this program as the person who reads of it can give it, in quotes. */
export function ownCommand(words: string): string {
  return `"${program} ${words}"`
}
