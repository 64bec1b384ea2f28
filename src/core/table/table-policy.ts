/** What is withheld of a table's rows, and from whom not. */
export interface TablePolicy {
  /** Rows that those may see who are not excepted, as clients write filters. */
  readonly rowFilter: string
  /** Principals and roles for whom the policy does not hold. */
  readonly except: readonly string[]
}
