import type { IncomingMessage } from 'node:http'
import { ANONYMOUS, type Principal } from './authorizer.ts'

/** Finds out who calls. */
export interface Authenticator {
  /**
   * Returns a promise only if something must be computed that takes a while. Throws
   * `credential-invalid` and its kin; without a credential the caller is anonymous.
   */
  authenticate(request: IncomingMessage): Principal | Promise<Principal>
}

export const KNOWS_NOBODY: Authenticator = { authenticate: () => ANONYMOUS }
