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
