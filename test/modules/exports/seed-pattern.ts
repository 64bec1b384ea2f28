import pg from 'pg'

/**
 * Rows that are archived nowhere after `COPY`, then `DELETE`, in READ COMMITTED beside a writer.
 */
export async function rowsLostBySeedPattern(url: string): Promise<number> {
  const [exporter, writer] = [1, 2].map(() => new pg.Client({ connectionString: url }))
  if (exporter === undefined || writer === undefined) throw new Error('no clients')
  await Promise.all([exporter.connect(), writer.connect()])
  await exporter.query('create table s (id int); insert into s select generate_series(1, 100)')
  await exporter.query('begin isolation level read committed')
  const copied = (await exporter.query('select * from s')).rowCount ?? 0
  await writer.query('insert into s select generate_series(101, 120)')
  const deleted = (await exporter.query('delete from s')).rowCount ?? 0
  await exporter.query('commit')
  await Promise.all([exporter.end(), writer.end()])
  return deleted - copied
}
