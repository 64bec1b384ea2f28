import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const gzipAsync = promisify(gzip)

/** Offset of the operating system in the header (RFC 1952, 2.3). */
const OS_AT = 9
const OS_UNKNOWN = 255

/**
 * One member of a gzip file. A file is any number of members (RFC 1952, 2.2), so a `.csv.gz` is
 * the member of its header line, then those of its shards. Without time and operating system, the
 * same bytes give the same member everywhere.
 */
export async function gzipMember(bytes: Uint8Array): Promise<Uint8Array> {
  // Node writes neither time nor name, but does write the operating system.
  const member = new Uint8Array(await gzipAsync(bytes, { level: GZIP_LEVEL }))
  member[OS_AT] = OS_UNKNOWN
  return member
}

const GZIP_LEVEL = 6
