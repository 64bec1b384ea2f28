/** Columns of a table that is asked for its rows, nulls, NaN and minus zero among them. */
export const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'kind', type: 'string' },
  { name: 'small', type: 'int' },
  { name: 'price', type: 'decimal(9,2)' },
  { name: 'ratio', type: 'double' },
  { name: 'day', type: 'date' },
  { name: 'ok', type: 'boolean' },
]
/** Its rows, from numbers `i`, without the source of these. */
export const SELECT =
  `SELECT i AS id, CASE WHEN i % 7 <> 0 THEN 'k' || (i % 4) END AS kind, ` +
  `CAST(i % 10 - 5 AS INTEGER) AS small, CAST(i * 1.25 AS DECIMAL(9,2)) AS price, ` +
  `CASE WHEN i % 17 = 0 THEN 'NaN'::DOUBLE WHEN i % 13 = 0 THEN -0.0 ELSE i / 4 END AS ratio, ` +
  `DATE '2024-01-01' + CAST(i // 10 AS INTEGER) AS day, ` +
  `CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END AS ok `
