import fc from 'fast-check'
import { includes, type Privilege } from '../../../src/core/access/privilege.ts'
import { must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const ROLES = ['role:a', 'role:b', 'role:c']
const NAMESPACES = ['x', 'x.y', 'x.y.z', 'w']
const TABLES = NAMESPACES.flatMap((namespace) => [`${namespace}.s`, `${namespace}.t`])
const PRIVILEGES: readonly Privilege[] = ['describe', 'select', 'modify', 'own']
const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }

interface Grant {
  /** Number of a thing, which a later one of its name does not have; 0 is the catalog. */
  readonly on: number
  readonly principal: string
  readonly privilege: Privilege
}

/** What is expected: names lead to numbers, and grants are on numbers. */
class Model {
  readonly numbers = new Map<string, number>([['', 0]])
  /** `role:a key:b`: the role, and who is in it. */
  readonly members = new Set<string>()
  grants: Grant[] = []
  #next = 1

  make(name: string): void {
    if (!this.numbers.has(name)) this.numbers.set(name, this.#next++)
  }

  /** The caller, `everyone`, and all roles above. */
  namesOf(principal: string): ReadonlySet<string> {
    const names = new Set([principal, 'everyone'])
    for (const name of names) {
      for (const link of this.members) {
        const [role = '', member] = link.split(' ')
        if (member === name) names.add(role)
      }
    }
    return names
  }

  has(principal: string, wanted: Privilege, name: string): boolean {
    const parts = name.split('.')
    const chain = ['', ...parts.map((_, i) => parts.slice(0, i + 1).join('.'))]
    const numbers = new Set(chain.map((each) => this.numbers.get(each)))
    const names = this.namesOf(principal)
    return this.grants.some(
      ({ on, privilege, principal: whom }) =>
        numbers.has(on) && names.has(whom) && includes(privilege, wanted),
    )
  }

  /** Whoever may see what is in a namespace may see the way to it. */
  sees(principal: string, namespace: string): boolean {
    const names = this.namesOf(principal)
    const isGranted = (name: string) =>
      this.grants.some(({ on, principal: whom }) => {
        return on === this.numbers.get(name) && names.has(whom)
      })
    return (
      this.has(principal, 'describe', namespace) ||
      [...this.numbers.keys()].some(
        (name) => (name === namespace || name.startsWith(`${namespace}.`)) && isGranted(name),
      )
    )
  }
}

type Step =
  | { readonly do: 'make' | 'drop'; readonly table: string }
  | { readonly do: 'make' | 'drop'; readonly namespace: string }
  | { readonly do: 'rename'; readonly table: string; readonly to: string }
  | ({ readonly do: 'grant' | 'revoke'; readonly on: string } & Omit<Grant, 'on'>)
  | { readonly do: 'add' | 'remove'; readonly role: string; readonly member: string }

let service: KeyedService
let ada: Caller
beforeAll(async () => {
  service = await startKeyedService()
  ada = await service.newCaller()
})
afterAll(() => service.close())

const routeOf = (name: string) =>
  name === '' ? '/v1' : `/v1/${/\.[st]$/.test(name) ? 'tables' : 'namespaces'}/${name}`

const principals = () => fc.constantFrom(ada.principal, 'everyone', ...ROLES)
const tables = fc.constantFrom(...TABLES)
const steps = (): fc.Arbitrary<Step> =>
  fc.oneof(
    fc.record({ do: fc.constantFrom('make' as const, 'drop' as const), table: tables }),
    fc.record({
      do: fc.constantFrom('make' as const, 'drop' as const, 'drop' as const),
      namespace: fc.constantFrom(...NAMESPACES),
    }),
    fc.record({ do: fc.constant('rename' as const), table: tables, to: tables }),
    fc.record({
      do: fc.constantFrom('grant' as const, 'grant' as const, 'revoke' as const),
      on: fc.constantFrom('', ...NAMESPACES, ...TABLES, ...TABLES),
      principal: principals(),
      privilege: fc.constantFrom(...PRIVILEGES),
    }),
    fc.record({
      do: fc.constantFrom('add' as const, 'add' as const, 'remove' as const),
      role: fc.constantFrom(...ROLES),
      member: principals().filter((name) => name !== 'everyone'),
    }),
  )

/** Does the step both ways; what cannot be done is left out. */
async function take(model: Model, step: Step): Promise<void> {
  if ('role' in step) return changeRole(model, step)
  if ('table' in step) return changeTable(model, step)
  if ('namespace' in step) return changeNamespace(model, step)
  return changeGrants(model, step)
}

const send = (method: string, path: string, json?: object) =>
  must(service.admin.send(method, path, json), path === '/v1/tables' ? 201 : 200)

async function changeTable(model: Model, step: Extract<Step, { table: string }>): Promise<void> {
  const { numbers } = model
  const number = numbers.get(step.table)
  if (step.do === 'make') {
    if (number !== undefined) return
    await send('post', '/v1/tables', { name: step.table, schema: SCHEMA })
    for (const namespace of NAMESPACES) {
      if (step.table.startsWith(`${namespace}.`)) model.make(namespace)
    }
    return model.make(step.table)
  }
  if (number === undefined) return
  if (step.do === 'rename') {
    if (numbers.has(step.to) || !numbers.has(step.to.slice(0, -2))) return
    await send('post', `${routeOf(step.table)}/rename`, { name: step.to })
    numbers.set(step.to, number)
  } else await send('delete', routeOf(step.table))
  numbers.delete(step.table)
}

async function changeNamespace(
  model: Model,
  { do: how, namespace }: Extract<Step, { namespace: string }>,
): Promise<void> {
  const { numbers } = model
  if (how === 'make') {
    if (numbers.has(namespace)) return
    await must(service.admin.send('post', '/v1/namespaces', { name: namespace }), 201)
    for (const each of NAMESPACES) if (`${namespace}.`.startsWith(`${each}.`)) model.make(each)
    return
  }
  const isFull = [...numbers.keys()].some((name) => name.startsWith(`${namespace}.`))
  if (isFull || !numbers.has(namespace)) return
  await send('delete', routeOf(namespace))
  numbers.delete(namespace)
}

async function changeGrants(model: Model, step: Extract<Step, { on: string }>): Promise<void> {
  const { on: name, principal, privilege } = step
  const on = model.numbers.get(name)
  if (on === undefined) return
  await send('post', `${routeOf(name)}/permissions`, { [step.do]: [{ principal, privilege }] })
  const others = model.grants.filter((grant) => {
    return !(grant.on === on && grant.principal === principal && grant.privilege === privilege)
  })
  model.grants = step.do === 'grant' ? [...others, { on, principal, privilege }] : others
}

async function changeRole(model: Model, step: Extract<Step, { role: string }>): Promise<void> {
  const { role, member } = step
  const path = `/v1/roles/${role.slice(5)}/members`
  const { status } = await service.admin.send('post', path, { [step.do]: [member] })
  // A role cannot be its own member, on no way.
  expect(status).toBe(step.do === 'add' && model.namesOf(role).has(member) ? 400 : 200)
  if (status !== 200) return
  if (step.do === 'add') model.members.add(`${role} ${member}`)
  else model.members.delete(`${role} ${member}`)
}

/** Every way to ask says what the model says. */
async function compare(model: Model): Promise<void> {
  await compareChecks(model)
  for (const name of TABLES) await compareTable(model, name)
  for (const namespace of NAMESPACES) await compareNamespace(model, namespace)
}

async function compareChecks(model: Model): Promise<void> {
  const asked = TABLES.flatMap((name) =>
    PRIVILEGES.map((privilege) => ({ on: 'table' as const, name, privilege })),
  )
  const { checks } = await must(ada.send('post', '/v1/permissions/check', { checks: asked }))
  expect(asked.map(({ name, privilege }, i) => [name, privilege, checks[i].allowed])).toEqual(
    asked.map(({ name, privilege }) => {
      const has = model.numbers.has(name) && model.has(ada.principal, privilege, name)
      return [name, privilege, has]
    }),
  )
  for (const { allowed, because } of checks) expect(because.length > 0).toBe(allowed)
}

async function compareTable(model: Model, name: string): Promise<void> {
  const who = ada.principal
  const isThere = model.numbers.has(name)
  const sees = isThere && model.has(who, 'describe', name)
  const read = sees && model.has(who, 'select', name)
  const { status } = await ada.send('get', routeOf(name))
  expect([name, status]).toEqual([name, read ? 200 : sees ? 403 : 404])
  const [table, ...levels] = name.split('.').reverse()
  const rest = `/iceberg/v1/namespaces/${levels.reverse().join('%1F')}/tables/${table}`
  expect([name, (await ada.send('head', rest)).status]).toEqual([name, sees ? 204 : 404])
  if (!isThere) return
  const path = `${routeOf(name)}/permissions/check?privilege=select&principal=${who}`
  expect([name, (await send('get', path)).allowed]).toEqual([name, read])
}

async function compareNamespace(model: Model, namespace: string): Promise<void> {
  const who = ada.principal
  const sees = model.numbers.has(namespace) && model.sees(who, namespace)
  const { status } = await ada.send('get', routeOf(namespace))
  const list = await ada.send('get', `/v1/tables?namespace=${namespace}`)
  const expected = sees ? 200 : 404
  expect([namespace, status, list.status]).toEqual([namespace, expected, expected])
  if (!sees) return
  const shown = list.body.tables.map(({ name }: { readonly name: string }) => name).sort()
  const inIt = TABLES.filter((name) => name.slice(0, -2) === namespace)
  const seen = inIt.filter((name) => {
    return model.numbers.has(name) && model.has(who, 'describe', name)
  })
  expect([namespace, shown]).toEqual([namespace, seen.map((name) => name.slice(-1)).sort()])
}

test('after any grants, roles, renamings and drops, every way to ask says the same', async () => {
  const { admin } = service
  const model = new Model()
  for (const name of NAMESPACES) {
    await must(admin.send('post', '/v1/namespaces', { name }), 201)
    model.make(name)
  }
  for (const role of ROLES) await send('post', `/v1/roles/${role.slice(5)}/members`, {})
  for (const table of TABLES.slice(0, 4)) await take(model, { do: 'make', table })
  const length = { minLength: 12, maxLength: 12 }
  await fc.assert(
    fc.asyncProperty(fc.array(steps(), length), async (some) => {
      for (const step of some) await take(model, step)
      await compare(model)
    }),
    // One service goes through all of it, so that a failure cannot be made shorter.
    { numRuns: 25, endOnFailure: true },
  )
})
