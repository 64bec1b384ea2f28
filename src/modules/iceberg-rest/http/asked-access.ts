import { ProblemError } from '../../../problem/problems.ts'
import type { AskedAccess } from '../vending/table-access.ts'
import { type IcebergCall, tableName } from './rest-route.ts'

/** The header in which a client lists what it can make use of. */
const DELEGATION = 'x-iceberg-access-delegation'

type Asking = Pick<IcebergCall, 'request'>

/** For a table that the caller has just made. */
export function askedByMaker({ request }: Asking): AskedAccess {
  const given = String(request.headers[DELEGATION] ?? '')
  const asked = given.split(',').map((each) => each.trim().toLowerCase())
  return {
    wantsCredentials: asked.includes('vended-credentials'),
    wantsSigning: asked.includes('remote-signing'),
    right: 'write',
  }
}

/** Whoever may not change the table gets no credentials to do so. */
export async function askedAccess(
  call: Asking & Pick<IcebergCall, 'authorize' | 'param'>,
): Promise<AskedAccess> {
  const asked = askedByMaker(call)
  return asked.wantsCredentials ? { ...asked, right: await rightOf(call) } : asked
}

export async function rightOf(
  call: Pick<IcebergCall, 'authorize' | 'param'>,
): Promise<AskedAccess['right']> {
  try {
    await call.authorize('modify', [{ on: 'table', name: tableName(call) }])
    return 'write'
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'permission-denied') return 'read'
    throw error
  }
}
