/**
 * Raised in the same commit as whatever makes the bytes of some rows others: a mended value,
 * another type or option, another version of DuckDB or parquet-wasm. It is in the key of every
 * shard and in the edition of every dump: dumps of before are made again when they are asked for,
 * and no reader joins halves of both.
 */
export const DIALECT_VERSION = 6
