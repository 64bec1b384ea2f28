import type pg from 'pg'
import { CatalogError } from '../../core/errors.ts'
import { oneStatement } from './export-statements.ts'

/** The table that a statement deletes from, as PostgreSQL itself understands it. */
export interface DeletedTable {
  readonly oid: string
  /** As it stands in SQL. */
  readonly name: string
}

/** A node of `EXPLAIN (FORMAT JSON, VERBOSE)`, of every version from 12 on. */
interface PlanNode {
  readonly 'Node Type': string
  readonly Operation?: string
  readonly Schema?: string
  readonly 'Relation Name'?: string
  readonly 'Conflict Resolution'?: string
  readonly Plans?: readonly PlanNode[]
}

/**
 * The one table that a statement deletes from. Throws `export-task-invalid` when it deletes from
 * none, changes rows of another one, or would change rows that are archived nowhere
 * (`requireAlone`). Its plan tells, behind views, rules and WITH, too, and has locked the table, so
 * that nobody gives it a foreign key in between. What triggers and functions do is in no plan.
 */
export async function tableDeletedFrom(client: pg.Client, deletion: string): Promise<DeletedTable> {
  const explain = `explain (verbose, costs off, format json) ${deletion}`
  const { rows } = await client.query<{ 'QUERY PLAN': readonly { readonly Plan?: PlanNode }[] }>(
    oneStatement(explain),
  )
  // A rule makes several plans of a statement, or none.
  const plans = (rows[0]?.['QUERY PLAN'] ?? []).flatMap(({ Plan }) => Plan ?? [])
  const changes = plans.flatMap(changesIn)
  const [change = changes[0], other] = changes.filter((each) => !onlyAdds(each))
  if (other !== undefined) {
    const both = [change, other].map((each) => each?.['Relation Name']).join(' and ')
    throw invalid(
      `the deletion changes ${both}, and rows of one table are archived: let it be one DELETE, ` +
        'with no other one in WITH, and of a table without rules',
      { changed: both },
    )
  }
  const { Operation: operation = 'SELECT' } = change ?? {}
  if (operation !== 'Delete') throw invalid(`the deletion is a ${operation.toUpperCase()}`, {})
  const { Schema: schema, 'Relation Name': relation } = change ?? {}
  // By its names: that of a schema the role has no right to is a refusal (42501) elsewhere.
  const found = 'select c.oid from pg_class c join pg_namespace n on n.oid = relnamespace '
  const named = `(${found}where nspname = $1 and relname = $2)`
  const table = await findTable(client, named, [schema, relation])
  await requireAlone(client, table)
  return table
}

function changesIn(node: PlanNode): readonly PlanNode[] {
  const below = (node.Plans ?? []).flatMap(changesIn)
  return node['Node Type'] === 'ModifyTable' ? [node, ...below] : below
}

/** Rows in a log, say: none that is there becomes another. */
function onlyAdds(change: PlanNode): boolean {
  return change.Operation === 'Insert' && change['Conflict Resolution'] !== 'UPDATE'
}

/**
 * A table of a task, by its name in quotes. Throws `export-task-invalid` when it is none: what a
 * view does not show would be deleted with what it shows.
 */
export async function requireTable(client: pg.Client, name: string): Promise<DeletedTable> {
  // What is not there, or may not be seen, is told as PostgreSQL tells it.
  await client.query(oneStatement(`select from ${name} limit 0`))
  const { kind, ...table } = await findTable(client, 'to_regclass($1)', [name])
  if (kind === 'r' || kind === 'p') return table
  throw invalid(`${table.name} is ${kindOf(kind)}: name a table to delete from, or say keep`, {
    table: table.name,
  })
}

async function findTable(
  client: pg.Client,
  oid: string,
  values: readonly unknown[],
): Promise<DeletedTable & { readonly kind: string }> {
  const { rows } = await client.query<DeletedTable & { readonly kind: string }>(
    'select oid::text as oid, oid::regclass::text as name, relkind as kind from pg_class ' +
      `where oid = ${oid}`,
    [...values],
  )
  const [found] = rows
  if (found !== undefined) return found
  throw invalid(`the table ${values.join('.')} is not there`, {})
}

function kindOf(kind: string): string {
  if (kind === 'f') return 'a foreign table, whose server commits before its own one does'
  return kind === 'v' || kind === 'm' ? 'a view' : 'no table'
}

/** The table with all that is below it: partitions, and theirs. */
const TREE = `
  with recursive tree (oid) as (
    select $1::oid union select inhrelid from tree join pg_inherits on inhparent = oid
  )`

/**
 * Throws `export-task-invalid` when a deletion from the table would change rows that are archived
 * nowhere: those that refer to it or one of its partitions, or columns of tables that inherit from
 * it; or rows that are deleted whether or not the transaction commits, in a foreign table.
 */
export async function requireAlone(client: pg.Client, { oid, name }: DeletedTable): Promise<void> {
  const { rows } = await client.query<{ other: string; kind: string; how: string }>(
    `${TREE} select conrelid::regclass::text as other, 'r' as kind, ` +
      "'refers to ' || confrelid::regclass || ', ON DELETE CASCADE or SET' as how " +
      "from pg_constraint where confrelid in (select oid from tree) and contype = 'f' " +
      "and confdeltype in ('c', 'n', 'd') union all " +
      "select inhrelid::regclass::text, 'r', 'inherits from ' || inhparent::regclass " +
      "from pg_inherits join pg_class on oid = inhparent where relkind = 'r' " +
      'and inhparent in (select oid from tree) union all ' +
      "select oid::regclass::text, relkind::text, '' from pg_class " +
      "where oid in (select oid from tree) and relkind not in ('r', 'p')",
    [oid],
  )
  const [found] = rows
  if (found === undefined) return
  const { other, kind, how } = found
  const why =
    kind === 'r'
      ? `${other} ${how}: deleting from ${name} would change it, too, and that is archived nowhere`
      : `${other} is ${kindOf(kind)}: nothing can be deleted there with proof`
  throw invalid(why, { table: name, other })
}

/** What may keep rows that a deletion means, if anything does, as it is called. */
export async function keeperOf(
  client: pg.Client,
  { oid }: DeletedTable,
): Promise<string | undefined> {
  const { rows } = await client.query<{ keeper: string }>(
    // Of each row (1), before (2) it is deleted (8).
    `${TREE} select 'its trigger ' || tgname as keeper from pg_trigger ` +
      'where tgrelid in (select oid from tree) and not tgisinternal and (tgtype & 11) = 11 ' +
      "and tgenabled <> 'D' union all " +
      // That of partitions is not asked for by way of their table.
      "select 'its row security' where row_security_active($1::oid)",
    [oid],
  )
  return rows[0]?.keeper
}

function invalid(detail: string, facts: Readonly<Record<string, string>>): CatalogError {
  return new CatalogError('export-task-invalid', detail, { facts })
}
