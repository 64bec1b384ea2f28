import type { Ambient } from '../../../src/core/ambient.ts'
import { newKeyText } from '../../../src/modules/access/key-text.ts'
import { type Answer, ask, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

/** A service that asks for keys, and an administrator's key to it. */
export interface KeyedService extends TestService {
  readonly admin: Caller
  /** Calls without a credential. */
  readonly nobody: Caller
  /** A caller with a new key; what it is granted on, by the path of the permissions' routes. */
  newCaller(grants?: Readonly<Record<string, readonly string[]>>): Promise<Caller>
}

export interface Caller {
  readonly key: string
  readonly principal: string
  send(method: string, path: string, json?: object): Promise<Answer>
}

export async function startKeyedService(
  environment: Readonly<Record<string, string>> = {},
  home?: string,
  ambient: Partial<Ambient> = {},
): Promise<KeyedService> {
  const service = await startTestService({
    environment: { MORAINE_AUTH: 'keys', ...environment },
    ...(home !== undefined && { home }),
    ambient,
  })
  const admin = callerOf(service, await addAdminKey(service))
  return {
    ...service,
    log: service.log,
    admin,
    nobody: callerOf(service, ''),
    newCaller: async (grants = {}) => {
      const { key } = await must(admin.send('post', '/v1/keys', {}), 201)
      const caller = callerOf(service, key)
      for (const [path, privileges] of Object.entries(grants)) {
        const grant = privileges.map((privilege) => ({ principal: caller.principal, privilege }))
        await must(admin.send('post', `${path}/permissions`, { grant }))
      }
      return caller
    },
  }
}

/** As the command does it, beside the running service. */
export async function addAdminKey({ deps }: Pick<TestService, 'deps'>): Promise<string> {
  const { keyId, hash, text } = newKeyText()
  await deps.catalog.keys.create({
    ...{ keyId, secretHash: hash, description: null, scopes: null, createdBy: 'anonymous' },
    ...{ createdAtMs: Date.now(), expiresAtMs: null, isAdmin: true },
  })
  await deps.access?.keeper.catchUp()
  return text
}

export function callerOf(service: Pick<TestService, 'url'>, key: string): Caller {
  const headers = key === '' ? {} : { Authorization: `Bearer ${key}` }
  return {
    key,
    principal: key === '' ? 'anonymous' : `key:${key.split('_')[1]}`,
    send: (method, path, json) =>
      ask(service, path, {
        ...{ method: method.toUpperCase(), headers },
        ...(json !== undefined && { json }),
      }),
  }
}
