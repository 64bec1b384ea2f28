import type { Dice } from './dice.ts'

/** More that a text may say of its tables, `a` for the one it is of. */
export interface MoreSql {
  conditions(a: string, dice: Dice): readonly string[]
  values(a: string): readonly string[]
  aggregates(a: string): readonly string[]
}

const NO_MORE: MoreSql = { conditions: () => [], values: () => [], aggregates: () => [] }

/** Texts that are the same in each run, of the tables `asked` and `others`. */
export class SqlAuthor {
  readonly #dice: Dice
  readonly #more: MoreSql
  #alias = 'a'

  constructor(dice: Dice, more = NO_MORE) {
    this.#dice = dice
    this.#more = more
  }

  query(): string {
    const shape = this.#roll(4)
    const rows = `${this.#from()} WHERE ${this.#condition(2)}`
    if (shape === 0) {
      const key = this.#value()
      const made = [this.#aggregate(), this.#aggregate()].map(text)
      const selected = `${text(key)} AS k, ${made.join(', ')}`
      return `SELECT ${selected} FROM ${rows} GROUP BY ${key} ORDER BY ALL`
    }
    if (shape === 1) return `SELECT ${text(this.#aggregate())} FROM ${rows}`
    const values = [this.#value(), this.#value(), this.#value()].map(text)
    if (shape === 2) return `SELECT DISTINCT ${values.join(', ')} FROM ${rows} ORDER BY ALL`
    const where = `${this.#from()} WHERE ${this.#condition(1)}`
    const pair = values.slice(0, 1).join(', ')
    return (
      `SELECT * FROM (SELECT ${pair} AS v FROM ${rows} ` +
      `${this.#pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} ` +
      `SELECT ${text(this.#value())} FROM ${where}) AS u ORDER BY ALL`
    )
  }

  #from(): string {
    this.#alias = 'a'
    const table = this.#pick(['asked', 'others'])
    if (this.#roll(3) > 0) return `${table} AS a`
    const join = this.#pick(['JOIN', 'LEFT JOIN', 'SEMI JOIN', 'ANTI JOIN'])
    return `${table} AS a ${join} others AS b ON a.id = b.id + ${this.#roll(20)}`
  }

  #condition(depth: number): string {
    if (depth > 0 && this.#roll(2) > 0) {
      const [left, right] = [this.#condition(depth - 1), this.#condition(depth - 1)]
      return `(${left} ${this.#pick(['AND', 'OR', 'AND NOT'])} ${right})`
    }
    return this.#pick([
      ...this.#more.conditions(this.#alias, this.#dice),
      `${this.#alias}.id % ${2 + this.#roll(5)} = ${this.#roll(3)}`,
      `${this.#alias}.kind = 'k${this.#roll(5)}'`,
      `${this.#alias}.price > ${this.#roll(120)}.5`,
      `${this.#alias}.ratio <= ${this.#roll(30)}`,
      `${this.#alias}.day >= DATE '2024-01-0${1 + this.#roll(9)}'`,
      `${this.#alias}.ok IS NOT ${this.#pick(['NULL', 'TRUE'])}`,
      `${this.#alias}.small IN (${this.#roll(5)}, -${this.#roll(5)}, NULL)`,
      `${this.#alias}.id IN (SELECT id FROM others WHERE small = ${this.#roll(5)})`,
      `${this.#alias}.kind LIKE '%${this.#roll(4)}'`,
    ])
  }

  #value(): string {
    const a = this.#alias
    return this.#pick([
      ...this.#more.values(a),
      ...[`${a}.id`, `${a}.kind`, `${a}.small`, `${a}.price`, `${a}.day`, `${a}.ok`],
      ...[`${a}.id // 10`, `abs(${a}.small)`, `upper(${a}.kind)`, `month(${a}.day)`],
      ...[`coalesce(${a}.kind, 'none')`, `CASE WHEN ${a}.ok THEN ${a}.small END`],
      ...[`round(${a}.price, 0)`, `${a}.price * 2`, `${a}.kind || '-' || ${a}.small`],
    ])
  }

  #aggregate(): string {
    const a = this.#alias
    return this.#pick([
      ...this.#more.aggregates(a),
      ...['count(*)', `count(${a}.kind)`, `sum(${a}.small)`, `sum(${a}.price)`, `avg(${a}.id)`],
      ...[`min(${a}.day)`, `max(${a}.ratio)`, `count(DISTINCT ${a}.kind)`, `median(${a}.id)`],
      ...[`bool_or(${a}.ok)`, `count(*) FILTER (WHERE ${a}.small > 0)`, `max(${a}.kind)`],
    ])
  }

  #pick(choices: readonly string[]): string {
    return this.#dice.pick(choices)
  }

  #roll(sides: number): number {
    return this.#dice.roll(sides)
  }
}

function text(expression: string): string {
  return `CAST(${expression} AS VARCHAR)`
}
