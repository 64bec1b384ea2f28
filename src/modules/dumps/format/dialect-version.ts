/**
 * Raised in the same commit as whatever makes the bytes of some rows others: a mended value, a new
 * type or option, another version of DuckDB or parquet-wasm. It is in the key of every shard, in
 * every index and in ETags: dumps of before are made again when they are asked for, and no reader
 * joins halves of both.
 */
export const DIALECT_VERSION = 4
