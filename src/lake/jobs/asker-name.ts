import { createHash } from 'node:crypto'
import { isSignedIn } from '../../core/access/principal-name.ts'

const PROOF_LENGTH = 32

/** A name for one request for a job: nobody but the principal that made it is known by it. */
export function requestAsker(principal: string, requestUuid: string): string {
  const text = JSON.stringify([requestUuid, principal])
  const proof = createHash('sha256').update(text).digest('hex').slice(0, PROOF_LENGTH)
  return `${requestUuid}-${proof}`
}

/**
 * Names under which the principal may have asked for a job, the one that it gives first, if that is
 * its own. Whoever is not signed in has none but that.
 */
export function askersOf(principal: string, given: string | undefined): readonly string[] {
  const own = isSignedIn(principal) ? [principal] : []
  const requestUuid = given?.slice(0, -PROOF_LENGTH - 1) ?? ''
  const isOwn = given !== undefined && given === requestAsker(principal, requestUuid)
  return isOwn ? [given, ...own] : own
}
