import fc from 'fast-check'
import type { Privilege } from '../../../src/core/access/privilege.ts'
import { isGrantable } from '../../../src/core/access/privilege.ts'
import { type Answer, must } from '../../http/client.ts'
import { type Caller, callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'
import { kindOf, namespaceOf, RightsModel, type Who } from './rights-model.ts'

const ROLES = ['role:a', 'role:b', 'role:c']
const NAMESPACES = ['x', 'x.y', 'x.y.z', 'w']
const TABLES = ['x.s', 'x.t', 'x.y.t', 'x.y.z.s', 'w.t']
const VIEWS = ['x.y.v', 'w.v']
/** Those that are there at the beginning of each round. */
const FIRST = [...NAMESPACES, ...TABLES.slice(0, 4), ...VIEWS.slice(0, 1)]
const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }
const PRIVILEGES = [
  ...(['describe', 'select', 'modify', 'own', 'create', 'manage_grants', 'admin'] as const),
] satisfies readonly Privilege[]

type Person = Caller & Who
type By = { readonly by: 'root' | 'ada' | 'bob' }
type Step = By &
  (
    | { readonly do: 'make' | 'drop'; readonly name: string }
    | { readonly do: 'rename'; readonly name: string; readonly to: string }
    | {
        readonly do: 'grant' | 'revoke'
        readonly on: string
        readonly principal: string
        readonly privilege: Privilege
      }
    | { readonly do: 'restrict' | 'open'; readonly table: string; readonly except: string[] }
    | { readonly do: 'add' | 'remove'; readonly role: string; readonly member: string }
  )
type StepOf<Key extends string> = Extract<Step, { readonly [K in Key]: unknown }>

let service: KeyedService
let people: Readonly<Record<By['by'], Person>>
beforeAll(async () => {
  service = await startKeyedService()
  const { admin } = service
  // What is made by this key is not its own for good.
  const scopes = ['modify', 'create'] as const
  const { key } = await must(admin.send('post', '/v1/keys', { scopes: [...scopes] }), 201)
  people = {
    root: { ...admin, scopes: null },
    ada: { ...(await service.newCaller()), scopes: null },
    bob: { ...callerOf(service, key), scopes },
  }
})
afterAll(() => service.close())

const routeOf = (name: string) => (name === '' ? '/v1' : `/v1/${kindOf(name)}s/${name}`)

/** Whoever else is the administrator stays it: else nobody could go on. */
const grantees = () => {
  const [ada, bob] = [people.ada.principal, people.bob.principal]
  return fc.constantFrom(ada, ada, bob, bob, 'everyone', ...ROLES)
}
const members = () => fc.constantFrom(people.ada.principal, people.bob.principal, ...ROLES)
const things = fc.constantFrom(...TABLES, ...VIEWS)
const by = fc.constantFrom<By['by'][]>('root', 'root', 'ada', 'bob')
const steps = (): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 2, arbitrary: make('make', fc.constantFrom(...NAMESPACES, ...TABLES, ...VIEWS)) },
    { weight: 1, arbitrary: make('drop', things) },
    { weight: 1, arbitrary: make('drop', fc.constantFrom(...NAMESPACES)) },
    {
      weight: 2,
      arbitrary: fc
        .record({ by, do: fc.constant('rename' as const), name: things, to: things })
        .filter(({ name, to }) => kindOf(name) === kindOf(to)),
    },
    {
      weight: 10,
      arbitrary: fc
        .record({
          by,
          do: fc.constantFrom('grant' as const, 'grant' as const, 'revoke' as const),
          on: fc.constantFrom('', '', ...NAMESPACES, ...NAMESPACES, ...TABLES, ...VIEWS),
          principal: grantees(),
          privilege: fc.constantFrom(...PRIVILEGES, 'create' as const),
        })
        .filter(({ on, principal, privilege }) => {
          const isForAll = privilege === 'admin' && principal === 'everyone'
          return isGrantable(privilege, kindOf(on)) && !isForAll
        }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        by,
        do: fc.constantFrom('restrict' as const, 'restrict' as const, 'open' as const),
        table: fc.constantFrom(...TABLES),
        except: fc.subarray([people.root.principal, people.ada.principal, ...ROLES]),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        by,
        do: fc.constantFrom('add' as const, 'add' as const, 'remove' as const),
        role: fc.constantFrom(...ROLES),
        member: members(),
      }),
    },
  )
function make<How extends 'make' | 'drop'>(how: How, name: fc.Arbitrary<string>) {
  return fc.record({ by, do: fc.constant(how), name })
}

/** Does the step both ways; what cannot be done by anybody is left out. */
async function take(model: RightsModel, step: Step): Promise<void> {
  if ('role' in step) return changeRole(model, step)
  if ('table' in step) return changePolicy(model, step)
  if ('on' in step) return changeGrants(model, step)
  if ('to' in step) return rename(model, step)
  return step.do === 'make' ? makeThing(model, step) : dropThing(model, step)
}

/** Whether it was let through, as is expected by the first of the statuses that refuses. */
async function wasLet(
  step: Step,
  answer: Promise<Answer>,
  statuses: readonly number[],
): Promise<boolean> {
  const expected = statuses.find((status) => status !== 200) ?? 200
  const { status, text } = await answer
  expect([step, status < 300 ? 200 : status, text]).toEqual([step, expected, text])
  return expected === 200
}

async function makeThing(model: RightsModel, step: StepOf<'name'>): Promise<void> {
  const { by, name } = step
  if (model.numbers.has(name)) return
  const who = people[by]
  const kind = kindOf(name)
  const namespace = namespaceOf(name)
  const queries = [{ dialect: 'duckdb', sql: 'SELECT 1 AS n' }]
  const body = { name, ...(kind === 'table' && { schema: SCHEMA }) }
  const view = { queries, schema: SCHEMA }
  const sent = who.send('post', `/v1/${kind}s`, { ...body, ...(kind === 'view' && view) })
  const asked = [model.statusOf(who, 'create', namespace)]
  if (!(await wasLet(step, sent, asked))) return
  for (const each of NAMESPACES) if (name.startsWith(`${each}.`)) model.make(each, who)
  model.make(name, who)
}

async function dropThing(model: RightsModel, step: StepOf<'name'>): Promise<void> {
  const { by, name } = step
  if (kindOf(name) === 'namespace' && model.isFull(name)) return
  const who = people[by]
  const sent = who.send('delete', routeOf(name))
  if (await wasLet(step, sent, [model.statusOf(who, 'own', name)])) model.numbers.delete(name)
}

async function rename(model: RightsModel, step: StepOf<'to'>): Promise<void> {
  const { by, name, to } = step
  const { numbers } = model
  if (numbers.has(to) || !numbers.has(namespaceOf(to))) return
  const who = people[by]
  const asked = [
    model.statusOf(who, 'own', name),
    model.statusOf(who, 'create', namespaceOf(to)),
  ] as const
  const sent = who.send('post', `${routeOf(name)}/rename`, { name: to })
  if (!(await wasLet(step, sent, asked))) return
  numbers.set(to, numbers.get(name) as number)
  numbers.delete(name)
}

async function changeGrants(model: RightsModel, step: StepOf<'on'>): Promise<void> {
  const { by, on: name, principal, privilege } = step
  const who = people[by]
  const change = { [step.do]: [{ principal, privilege }] }
  const sent = who.send('post', `${routeOf(name)}/permissions`, change)
  // Nobody gives what they do not have.
  const isGiven = step.do === 'grant' || privilege === 'admin'
  const asked = [
    model.statusOf(who, 'manage_grants', name),
    ...(isGiven ? [model.statusOf(who, privilege, name)] : []),
  ]
  if (!(await wasLet(step, sent, asked))) return
  model.change(step.do, { on: model.numbers.get(name) as number, principal, privilege })
}

async function changePolicy(model: RightsModel, step: StepOf<'table'>): Promise<void> {
  const { by, table, except } = step
  const who = people[by]
  const path = `${routeOf(table)}/policy`
  const policy = { row_filter: 'n < 5', except }
  const isSet = step.do === 'restrict'
  const sent = isSet ? who.send('put', path, policy) : who.send('delete', path)
  if (!(await wasLet(step, sent, [model.statusOf(who, 'manage_grants', table)]))) return
  const number = model.numbers.get(table) as number
  if (isSet) model.policies.set(number, except)
  else model.policies.delete(number)
}

async function changeRole(model: RightsModel, step: StepOf<'role'>): Promise<void> {
  const { by, role, member } = step
  const who = people[by]
  const path = `/v1/roles/${role.slice(5)}/members`
  const sent = who.send('post', path, { [step.do]: [member] })
  // A role cannot be its own member, on no way.
  const isCyclic = step.do === 'add' && model.namesOf(role).has(member)
  const asked = [model.statusOf(who, 'admin', ''), isCyclic ? 400 : 200]
  if (!(await wasLet(step, sent, asked))) return
  if (step.do === 'add') model.members.add(`${role} ${member}`)
  else model.members.delete(`${role} ${member}`)
}

/** Every way to ask says what the model says. */
async function compare(model: RightsModel, who: Person): Promise<void> {
  await compareChecks(model, who)
  for (const name of [...TABLES, ...VIEWS]) await compareThing(model, who, name)
  for (const namespace of NAMESPACES) await compareNamespace(model, who, namespace)
}

async function compareChecks(model: RightsModel, who: Person): Promise<void> {
  const asked = ['', ...NAMESPACES, ...TABLES, ...VIEWS].flatMap((name) =>
    PRIVILEGES.map((privilege) => ({ on: kindOf(name), name, privilege })),
  )
  const { checks } = await must(who.send('post', '/v1/permissions/check', { checks: asked }))
  const told = asked.map(({ name, privilege }, i) => [name, privilege, checks[i].allowed])
  expect(told).toEqual(
    asked.map(({ name, privilege }) => {
      const isAllowed = model.statusOf(who, privilege, name) === 200
      return [name, privilege, isAllowed && model.numbers.has(name)]
    }),
  )
  for (const [i, { on, privilege }] of asked.entries()) {
    const { allowed, because, restricted } = checks[i]
    // The way to something is seen by what is granted on that.
    if (on === 'namespace' && privilege === 'describe') continue
    expect([asked[i], because.length > 0]).toEqual([asked[i], allowed || restricted])
  }
}

async function compareThing(model: RightsModel, who: Person, name: string): Promise<void> {
  const { status } = await who.send('get', routeOf(name))
  expect([name, status]).toEqual([name, model.statusOf(who, 'select', name)])
  const levels = namespaceOf(name).replaceAll('.', '%1F')
  const rest = `/iceberg/v1/namespaces/${levels}/${kindOf(name)}s/${name.split('.').at(-1)}`
  const isSeen = model.numbers.has(name) && model.sees(who, name)
  expect([name, (await who.send('head', rest)).status]).toEqual([name, isSeen ? 204 : 404])
  if (!model.numbers.has(name)) return
  const path = `${routeOf(name)}/permissions/check?privilege=select&principal=${who.principal}`
  const { allowed } = await must(people.root.send('get', path))
  expect([name, allowed]).toEqual([name, status === 200])
}

async function compareNamespace(model: RightsModel, who: Person, namespace: string): Promise<void> {
  const expected = model.statusOf(who, 'describe', namespace)
  const { status } = await who.send('get', routeOf(namespace))
  expect([namespace, status]).toEqual([namespace, expected])
  for (const [kind, names] of Object.entries({ tables: TABLES, views: VIEWS })) {
    const list = await who.send('get', `/v1/${kind}?namespace=${namespace}`)
    expect([namespace, kind, list.status]).toEqual([namespace, kind, expected])
    if (expected !== 200) continue
    const seen = names.filter((name) => {
      return namespaceOf(name) === namespace && model.statusOf(who, 'describe', name) === 200
    })
    const shown = list.body[kind].map(({ name }: { readonly name: string }) => name)
    expect([namespace, shown.sort()]).toEqual([
      namespace,
      seen.map((name) => name.slice(-1)).sort(),
    ])
  }
}

/** Each round begins with the first things, and nothing granted: else all is soon allowed. */
async function clear(model: RightsModel): Promise<void> {
  const { root } = people
  for (const name of FIRST) await take(model, { by: 'root', do: 'make', name })
  for (const [name, number] of model.numbers) {
    const given = model.grants.filter(({ on, principal }) => {
      return on === number && principal !== root.principal
    })
    const revoke = given.map(({ principal, privilege }) => ({ principal, privilege }))
    const sent = () => root.send('post', `${routeOf(name)}/permissions`, { revoke })
    if (revoke.length > 0) await must(sent())
    for (const each of given) model.change('revoke', each)
  }
}

test('after any grants, roles, policies, renamings and drops, all ways to ask agree', async () => {
  const { root, ada, bob } = people
  const model = new RightsModel()
  model.change('grant', { on: 0, principal: root.principal, privilege: 'admin' })
  for (const role of ROLES) {
    await must(root.send('post', `/v1/roles/${role.slice(5)}/members`, {}))
  }
  const length = { minLength: 30, maxLength: 30 }
  await fc.assert(
    fc.asyncProperty(fc.array(steps(), length), async (some) => {
      await clear(model)
      for (const step of some) await take(model, step)
      await compare(model, ada)
      await compare(model, bob)
    }),
    // One service goes through all of it, so that a failure cannot be made shorter.
    { numRuns: 10, endOnFailure: true },
  )
})
