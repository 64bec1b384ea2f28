import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const gzipAsync = promisify(gzip)

/** Where the header names the operating system (RFC 1952, 2.3). */
const OS_AT = 9
const OS_UNKNOWN = 255

/**
 * One member of a gzip file. Members stand one after another (RFC 1952, 2.2), so a `.csv.gz` is its
 * header's member and then those of its shards. No time, no system: the same bytes give the same
 * member everywhere.
 */
export async function gzipMember(bytes: Uint8Array): Promise<Uint8Array> {
  // Node writes no time and no name, but its system.
  const member = new Uint8Array(await gzipAsync(bytes, { level: GZIP_LEVEL }))
  member[OS_AT] = OS_UNKNOWN
  return member
}

const GZIP_LEVEL = 6
