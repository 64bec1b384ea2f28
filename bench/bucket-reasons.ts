import type { PassedRequest } from './store-front.ts'

export interface Explained {
  readonly requests: number
  /** Method and kind of object. */
  readonly what: string
  /** Empty where none is known. */
  readonly reason: string
}

interface Rule {
  /** Matches the method, a space and the address. */
  readonly pattern: RegExp
  readonly what: string
  readonly reason: string
}

/** The first that fits is taken. */
const RULES: readonly Rule[] = [
  rule(
    /^GET .*\/lake\/.*[?].*x-id=GetObject/,
    'data file',
    'its end, or the whole, into the cache',
  ),
  rule(/^HEAD .*\/lake\//, 'data file', 'its length and version'),
  rule(/^PUT .*\/manifests\//, 'manifest', 'the entries of the commit'),
  rule(/^PUT .*\/manifest_lists\//, 'manifest list', 'which manifests the snapshot has'),
  rule(/^PUT .*\/snapshots\//, 'snapshot', 'from which a lost catalog is rebuilt'),
  rule(/^PUT .*\.metadata\.json/, 'metadata file', 'for other engines; after the answer'),
  rule(/^HEAD .*\.metadata\.json/, 'metadata file', 'whether it is still there'),
  rule(/^GET .*\/manifest_lists\//, 'manifest list', 'not in memory'),
  rule(/^GET .*\/manifests\//, 'manifest', 'not in memory'),
  rule(/^PUT .*\.moraine-warehouse\.json/, 'marker', 'whose warehouse it is'),
  rule(/^(GET|HEAD) .*\.moraine-warehouse\.json/, 'marker', 'at most once in five seconds'),
  rule(/^HEAD .*\.dumps\/.*index\.json/, 'index', 'whether the dump is made, in this version'),
  rule(/^GET .*\.dumps\/.*index\.json/, 'index', 'once a process and version; by tidying, too'),
  rule(/^PUT .*\.dumps\/.*index\.json/, 'index', 'the dump is made'),
  rule(/^PUT .*\/shards\/header-/, 'header', 'the first line, once a schema'),
  rule(/^GET .*\/shards\/header-/, 'header', 'hashed once made, sent or joined'),
  rule(/^HEAD .*\/shards\//, 'shard', 'whether another snapshot has made it'),
  rule(/^PUT .*\/shards\//, 'shard', 'the rows of one data file'),
  rule(/^GET .*\/shards\//, 'shard', 'hashed once made, sent or joined'),
  rule(/^GET .*list-type=2.*\.dumps/, 'list', 'earlier dumps, and what no index names'),
  rule(/^PUT .*\/linked-until-/, 'mark', 'no sweep takes what is lent, once an hour and process'),
  rule(/^HEAD .*\/[0-9a-f]{64}\.csv/, 'joined dump', 'whether it is there'),
  rule(
    /^PUT .*\/[0-9a-f]{64}\.csv/,
    'joined dump',
    'too short to be joined by the store: written once',
  ),
  rule(/^GET .*\/[0-9a-f]{64}\.csv/, 'joined dump', 'the bytes, by the client'),
]

function rule(pattern: RegExp, what: string, reason: string): Rule {
  return { pattern, what, reason }
}

/** Counts by method and kind, in the order of the first of each. */
export function explain(requests: readonly PassedRequest[]): readonly Explained[] {
  const rows = new Map<string, Explained>()
  for (const { method, url } of requests) {
    const text = `${method} ${url}`
    const found = RULES.find(({ pattern }) => pattern.test(text))
    const what = found === undefined ? text : `${method} ${found.what}`
    const before = rows.get(what)?.requests ?? 0
    rows.set(what, { requests: before + 1, what, reason: found?.reason ?? '' })
  }
  return [...rows.values()]
}
