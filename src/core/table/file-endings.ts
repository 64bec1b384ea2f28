/** Endings by which a table is opened as a file, as in `/v1/tables/t/t.csv`. */
export const FILE_ENDINGS = [
  'csv',
  'csv.gz',
  'csv.zst',
  'tsv',
  'tsv.gz',
  'tsv.zst',
  'ndjson',
  'ndjson.gz',
  'ndjson.zst',
  'jsonl',
  'jsonl.gz',
  'jsonl.zst',
  'parquet',
  'arrow',
  'json',
  'xml',
] as const

/** What to say of a file whose name is the table's and whose ending is none of these. */
export function endingAdvice(names: readonly string[], file: string): string {
  const isOfTable = names.some((name) => file.startsWith(`${name}.`))
  return isOfTable ? `; files of a table end in ${FILE_ENDINGS.map((e) => `.${e}`).join(', ')}` : ''
}
