import type { Privilege } from '../../../core/access/privilege.ts'
import type { Target, TargetName } from '../../../http/authorizer.ts'
import { ProblemError } from '../../../problem/problems.ts'
import type { AskedAccess, LentAccess } from '../vending/table-access.ts'
import { type IcebergCall, tableName } from './rest-route.ts'

/** The header in which a client lists what it can make use of. */
const DELEGATION = 'x-iceberg-access-delegation'
/** What a caller may learn about while it lacks a privilege. */
const LACKING: ReadonlySet<string> = new Set([
  'permission-denied',
  'credential-missing',
  'table-restricted',
])

type Asking = Pick<IcebergCall, 'request' | 'authorize'>

/** For a table that the caller has just made, and so owns. */
export async function askedByMaker(call: Asking): Promise<AskedAccess> {
  const wanted = wantedBy(call)
  if (!wanted.wantsCredentials) return { ...wanted, right: 'write', holdsAll: false }
  return { ...wanted, right: 'write', holdsAll: await holdsAll(call) }
}

/** Whoever may not change the table gets no credentials to do so. */
export async function askedAccess(call: Asking & Pick<IcebergCall, 'param'>): Promise<AskedAccess> {
  return askedOf(call, tableName(call))
}

/** For the table of that name or UUID. */
export async function askedOf(call: Asking, table: TargetName<'table'>): Promise<AskedAccess> {
  const wanted = wantedBy(call)
  if (!wanted.wantsCredentials) return { ...wanted, right: 'read', holdsAll: false }
  return { ...wanted, ...(await lentTo(call, table)) }
}

/** What the caller may be lent for the files of a table that it may read. */
export async function lentTo(
  call: Pick<IcebergCall, 'authorize'>,
  table: TargetName<'table'>,
): Promise<LentAccess> {
  const mayWrite = await may(call, 'modify', { on: 'table', name: table })
  return { right: mayWrite ? 'write' : 'read', holdsAll: mayWrite && (await holdsAll(call)) }
}

function wantedBy({ request }: Pick<IcebergCall, 'request'>) {
  const given = String(request.headers[DELEGATION] ?? '')
  const asked = given.split(',').map((each) => each.trim().toLowerCase())
  return {
    wantsCredentials: asked.includes('vended-credentials'),
    wantsSigning: asked.includes('remote-signing'),
  }
}

/** Whether the caller may read and change every table: `modify` has `select` in it. */
function holdsAll(call: Pick<IcebergCall, 'authorize'>): Promise<boolean> {
  return may(call, 'modify', { on: 'catalog', name: undefined })
}

async function may(
  call: Pick<IcebergCall, 'authorize'>,
  privilege: Privilege,
  target: Target,
): Promise<boolean> {
  try {
    await call.authorize(privilege, [target])
    return true
  } catch (error) {
    if (error instanceof ProblemError && LACKING.has(error.code)) return false
    throw error
  }
}
