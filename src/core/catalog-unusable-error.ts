import { ownCommand } from './own-command.ts'
/**
 * A catalog database that this process cannot work with as it is; an operator can put that right.
 */
export class CatalogUnusableError extends Error {
  readonly problem: string
  readonly remedy: string

  constructor({ problem, remedy }: { readonly problem: string; readonly remedy: string }) {
    super(`${problem}: ${remedy}`)
    this.problem = problem
    this.remedy = remedy
  }
}

/** A catalog database that is damaged, or no database at all: it is restored or rebuilt. */
export class CatalogDamagedError extends CatalogUnusableError {
  constructor(problem: string) {
    super({
      problem,
      remedy:
        `restore it from a backup, or run ${ownCommand('rebuild')}, ` +
        'which sets the file aside and ' +
        'registers every table again from the warehouse',
    })
  }
}
