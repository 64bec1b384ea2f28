import type { Catalog } from '../../src/catalog/catalog.ts'
import { CATALOG_SECURABLE, exportSecurable, type Grant } from '../../src/catalog/grant-store.ts'
import type { Privilege } from '../../src/core/access/privilege.ts'
import { create, definitionOf, newTable, stateOf, viewOf } from './catalog-samples.ts'

const ADA = 'key:ada000000000'
const BOB = 'key:bob000000000'
const NOW = 10_000

export function describeGrants(catalog: () => Catalog): void {
  const by = (principal: string) => ({ events: { principal } })
  const to = (principal: string, privilege: Privilege) => ({ principal, privilege })
  const change = (
    securable: string,
    { grant = [], revoke = [] }: Partial<Record<'grant' | 'revoke', Omit<Grant, 'securable'>[]>>,
  ) =>
    catalog().grants.change({ securable, name: 'it', grant, revoke, nowMs: NOW }, by('key:admin'))
  const shown = async (securable: string) =>
    (await catalog().grants.listOn([securable]))
      .map(({ principal, privilege }) => `${principal} ${privilege}`)
      .sort()
  const uuidOf = async (...levels: string[]) =>
    (await catalog().grants.findPlace({ kind: 'namespace', levels }))?.uuid ?? 'none'
  const addKey = (keyId: string, isAdmin: boolean) =>
    catalog().keys.create({
      ...{ keyId, secretHash: 'x', description: null, scopes: null, createdBy: 'anonymous' },
      ...{ createdAtMs: NOW, expiresAtMs: null, isAdmin },
    })

  describe('grants', () => {
    test('who creates a thing and is signed in owns it, and what is made for it', async () => {
      const table = stateOf('t', { namespace: ['a', 'b'] })
      await catalog().namespaces.create({ levels: ['a'], properties: {} }, by('anonymous'))
      await catalog().tables.create(newTable(table), by(ADA))
      const view = viewOf('v', { namespace: ['a', 'b'] })
      await catalog().views.create(view, by('user:https://idp~bob'))
      expect(await shown(table.definition.tableUuid)).toEqual([`${ADA} own`])
      expect(await shown(view.viewUuid)).toEqual(['user:https://idp~bob own'])
      expect(await shown(await uuidOf('a'))).toEqual([])
      expect(await shown(await uuidOf('a', 'b'))).toEqual([`${ADA} own`])
      expect(await catalog().grants.listOf(ADA)).toHaveLength(2)
    })

    test('places say what things are called, and the namespaces that have them', async () => {
      const table = stateOf('Ts', { namespace: ['A', 'b'] })
      await catalog().tables.create(newTable(table))
      const { tableUuid: uuid } = table.definition
      const namespaceUuids = [await uuidOf('a'), await uuidOf('A', 'B')]
      const place = { kind: 'table', uuid, levels: ['A', 'b'], name: 'Ts', namespaceUuids }
      expect(await catalog().grants.findPlaces([uuid, 'gone'])).toEqual([place])
      const key = { kind: 'table', levels: ['a', 'B'], name: 'ts' } as const
      expect(await catalog().grants.findPlace(key)).toMatchObject({ uuid, namespaceUuids })
      expect(await catalog().grants.findPlace({ ...key, kind: 'view' })).toBeUndefined()
      expect(await uuidOf('a', 'c')).toBe('none')
    })

    test('grants follow a renaming and a replacement, and outlive a drop for a while', async () => {
      const state = await create(catalog(), 'planets')
      const { tableUuid } = state.definition
      expect(await change(tableUuid, { grant: [to(BOB, 'select')] })).toBe('changed')
      const named = { ...state, name: 'worlds', version: 1 }
      const commit = { expectedVersion: 0, state: named, newSnapshots: [], newLogEntries: [] }
      await catalog().tables.commit({ tables: [{ ...commit, addedPaths: [] }], transactions: [] })
      expect(await shown(tableUuid)).toEqual([`${BOB} select`])
      const next = newTable(stateOf('worlds', { definition: definitionOf() }))
      await catalog().tables.replace({ tableUuid, expectedVersion: 1, table: next }, by(ADA))
      const { tableUuid: second } = next.state.definition
      expect([await shown(tableUuid), await shown(second)]).toEqual([[], [`${BOB} select`]])
      const { grants } = catalog()
      await catalog().tables.drop({ tableUuid: second, expectedVersion: 0 })
      expect(await grants.forgetOrphans({ nowMs: 5_000, beforeMs: 0 })).toBe(0)
      expect(await grants.forgetOrphans({ nowMs: 9_000, beforeMs: 5_000 })).toBe(0)
      await catalog().tables.create(newTable({ ...next.state, version: 9 }))
      expect(await grants.forgetOrphans({ nowMs: 9_000, beforeMs: 8_000 })).toBe(0)
      await catalog().tables.drop({ tableUuid: second, expectedVersion: 9 })
      await grants.forgetOrphans({ nowMs: 9_000, beforeMs: 0 })
      expect(await shown(second)).toEqual([`${BOB} select`])
      expect(await grants.forgetOrphans({ nowMs: 9_500, beforeMs: 9_001 })).toBe(1)
      expect(await shown(second)).toEqual([])
    })

    test('grants on an export task are by its name, and stay until they are revoked', async () => {
      const securable = exportSecurable('agency')
      const granted = [to(ADA, 'export'), to(BOB, 'export')]
      expect(await change(securable, { grant: granted })).toBe('changed')
      const { grants } = catalog()
      expect(await grants.forgetOrphans({ nowMs: 9_000, beforeMs: 8_000 })).toBe(0)
      expect(await grants.forgetOrphans({ nowMs: 9_500, beforeMs: 9_001 })).toBe(0)
      expect(await shown(securable)).toEqual([`${ADA} export`, `${BOB} export`])
      expect(await shown(exportSecurable('Agency'))).toEqual([])
      expect(await change(securable, { revoke: granted.slice(1) })).toBe('changed')
      expect(await shown(securable)).toEqual([`${ADA} export`])
    })

    test('the UUID of one kind of thing is no UUID of another, also of a dropped one', async () => {
      const refused = { code: 'request-invalid' }
      const view = viewOf('v')
      await catalog().views.create(view, by(ADA))
      const space = await uuidOf(...view.namespace)
      for (const uuid of [view.viewUuid, space]) {
        const table = newTable(stateOf('t', { definition: definitionOf(uuid) }))
        await expect(catalog().tables.create(table, by(BOB))).rejects.toMatchObject(refused)
      }
      expect(await shown(view.viewUuid)).toEqual([`${ADA} own`])
      expect(await catalog().tables.list({ limit: 9 })).toEqual([])
      const { tableUuid } = (await create(catalog(), 'planets')).definition
      for (const uuid of [tableUuid, space]) {
        const other = { ...viewOf('w'), viewUuid: uuid, version: 5 }
        await expect(catalog().views.create(other, by(BOB))).rejects.toMatchObject(refused)
      }
      await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
      const late = { ...viewOf('w'), viewUuid: tableUuid, version: 5 }
      await expect(catalog().views.create(late, by(BOB))).rejects.toMatchObject(refused)
    })

    test('of a table and a view that come with one UUID at once, one is made', async () => {
      for (let round = 0; round < 5; round++) {
        const table = newTable(stateOf(`t${round}`))
        const { tableUuid: viewUuid } = table.state.definition
        const outcomes = await Promise.allSettled([
          catalog().tables.create(table, by(ADA)),
          catalog().views.create({ ...viewOf(`v${round}`), viewUuid }, by(BOB)),
        ])
        expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
        expect(await shown(viewUuid)).toHaveLength(1)
      }
    })

    test('grants on a dropped table come back only with one who owned it', async () => {
      const table = newTable(stateOf('planets'))
      const { tableUuid } = table.state.definition
      await catalog().tables.create(table, by(ADA))
      await change(tableUuid, { grant: [to('everyone', 'select'), to('role:team', 'own')] })
      const again = async (version: number, principal: string) => {
        await catalog().tables.drop({ tableUuid, expectedVersion: version - 1 })
        await catalog().tables.create(newTable({ ...table.state, version }), by(principal))
        return shown(tableUuid)
      }
      const old = ['everyone select', `${ADA} own`, 'role:team own']
      expect(await again(1, ADA)).toEqual(old)
      expect(await again(2, 'anonymous')).toEqual(old)
      const role = { role: 'team', add: [BOB], remove: [], nowMs: NOW }
      await catalog().grants.changeRole(role)
      expect(await again(3, BOB)).toEqual([old[0], old[1], `${BOB} own`, old[2]])
      await change('catalog', { grant: [to('key:adm000000000', 'admin')] })
      expect(await again(4, 'key:adm000000000')).toHaveLength(5)
      expect(await again(5, 'key:eve000000000')).toEqual(['key:eve000000000 own'])
    })

    test('a change is whole, raises one event, and is refused for what is gone', async () => {
      const { definition } = await create(catalog(), 'planets')
      const { tableUuid } = definition
      await change(tableUuid, { grant: [to(ADA, 'select'), to(BOB, 'modify')] })
      await change(tableUuid, { grant: [to(BOB, 'own')], revoke: [to(ADA, 'select')] })
      expect(await shown(tableUuid)).toEqual([`${BOB} modify`, `${BOB} own`])
      const types = ['moraine.permissions.changed.v1'] as const
      const { events } = await catalog().events.list({ after: 0n, types, limit: 9 })
      expect(events.map(({ subject }) => subject)).toEqual([tableUuid, tableUuid])
      expect(events[1]?.data).toEqual({
        granted: [to(BOB, 'own')],
        revoked: [to(ADA, 'select')],
        before: { grants: expect.arrayContaining([to(ADA, 'select'), to(BOB, 'modify')]) },
      })
      expect(events[1]?.origin.principal).toBe('key:admin')
      expect(await change('no-such-uuid', { grant: [to(ADA, 'own')] })).toBe('not-found')
    })

    test('a list has what is granted on or above it, and namespaces the path to it', async () => {
      for (const [namespace, name] of [
        [['a'], 'one'],
        [['a'], 'two'],
        [['a', 'b'], 'three'],
        [['ab'], 'four'],
        [['c', 'd', 'e'], 'five'],
      ] as const) {
        await catalog().tables.create(newTable(stateOf(name, { namespace })))
      }
      await catalog().views.create(viewOf('seen', { namespace: ['a'] }))
      const tables = async (...principals: string[]) =>
        (await catalog().tables.list({ limit: 99, visibleTo: { principals } })).map((t) => t.name)
      const children = async (parent: string[], ...principals: string[]) =>
        (
          await catalog().namespaces.listChildren({ parent, limit: 99, visibleTo: { principals } })
        ).map((levels) => levels.join('.'))
      const views = (...principals: string[]) =>
        catalog().views.list({ namespace: ['a'], limit: 99, visibleTo: { principals } })
      await change(await uuidOf('a'), { grant: [to(ADA, 'describe'), to(BOB, 'create')] })
      const five = await catalog().tables.find({ namespace: ['c', 'd', 'e'], name: 'five' })
      await change(five?.definition.tableUuid ?? '', { grant: [to(BOB, 'select')] })
      expect(await tables(ADA)).toEqual(['one', 'two', 'three'])
      expect(await tables(BOB)).toEqual(['five'])
      expect(await tables('role:none', ADA, BOB)).toHaveLength(4)
      expect(await tables('role:none')).toEqual([])
      expect([await views(ADA), await views(BOB)]).toMatchObject([[{ name: 'seen' }], []])
      expect(await children([], ADA)).toEqual(['a'])
      expect(await children([], BOB)).toEqual(['a', 'c'])
      expect(await children(['a'], ADA)).toEqual(['a.b'])
      expect(await children(['a'], BOB)).toEqual([])
      expect(await children(['c'], BOB)).toEqual(['c.d'])
    })

    test('the last administrator stays, by whatever way it would go', async () => {
      const admin = (principal: string) => to(principal, 'admin')
      const { grants, keys } = catalog()
      await addKey('ada000000000', true)
      const revoke = (principal: string) =>
        change(CATALOG_SECURABLE, { revoke: [admin(principal)] })
      expect(await revoke(ADA)).toBe('last-admin')
      expect(await keys.revoke({ keyId: 'ada000000000', nowMs: NOW })).toBe('last-admin')
      await addKey('bob000000000', false)
      await change(CATALOG_SECURABLE, { grant: [admin('role:ops')] })
      expect(await revoke(ADA)).toBe('last-admin')
      const ops = (add: string[], remove: string[] = []) =>
        grants.changeRole({ role: 'ops', add, remove, nowMs: NOW })
      expect(await ops(['role:inner'])).toBe('changed')
      const inner = { role: 'inner', add: [BOB], remove: [], nowMs: NOW }
      expect(await grants.changeRole(inner)).toBe('changed')
      expect(await revoke(ADA)).toBe('changed')
      expect(await ops([], ['role:inner'])).toBe('last-admin')
      expect(await grants.dropRole({ role: 'inner', nowMs: NOW })).toBe('last-admin')
      expect(await keys.revoke({ keyId: 'bob000000000', nowMs: NOW })).toBe('last-admin')
      const both = await Promise.all([ops([ADA], ['role:inner']), revoke('role:ops')])
      expect(both.filter((outcome) => outcome === 'last-admin')).toHaveLength(1)
    })

    test('a role has members and no cycle, and takes its privileges with it', async () => {
      const { grants } = catalog()
      const role = (name: string, add: string[]) =>
        grants.changeRole({ role: name, add, remove: [], nowMs: NOW })
      await role('readers', [ADA, 'group:staff'])
      await role('all', ['role:readers'])
      expect(await role('readers', ['role:all'])).toBe('cyclic')
      await change(CATALOG_SECURABLE, { grant: [to('role:readers', 'select')] })
      expect(await grants.listRoles()).toEqual([
        { role: 'all', members: ['role:readers'] },
        { role: 'readers', members: ['group:staff', ADA] },
      ])
      expect(await grants.dropRole({ role: 'readers', nowMs: NOW })).toBe('dropped')
      expect(await grants.dropRole({ role: 'readers', nowMs: NOW })).toBe('not-found')
      expect(await grants.listRoles()).toEqual([{ role: 'all', members: [] }])
      expect(await grants.listAll()).toEqual([])
      const { events } = await catalog().events.list({
        ...{ after: 0n, types: ['moraine.role.changed.v1'], limit: 9 },
      })
      const told = ({ subject }: (typeof events)[number]) => subject === 'role:readers'
      expect(events.filter(told).map(({ data }) => data)).toEqual([
        { added: [ADA, 'group:staff'], removed: [], before: { members: [] } },
        {
          dropped: true,
          before: {
            ...{ members: expect.arrayContaining([ADA, 'group:staff']), members_count: 2 },
            ...{ member_of: ['role:all'], grants_count: 1 },
            grants: [{ securable: CATALOG_SECURABLE, privilege: 'select' }],
          },
        },
      ])
    })

    test('nothing is given to a role that is required, and not there', async () => {
      const { grants, policies } = catalog()
      const { tableUuid } = (await create(catalog(), 'planets')).definition
      const roles = ['here', 'gone']
      const given = { securable: tableUuid, name: 'it', grant: [to('role:gone', 'select')] }
      const policy = { rowFilter: 'id > 1', except: ['role:gone'] }
      const all = async () => [
        await grants.change({ ...given, revoke: [], roles, nowMs: NOW }),
        await policies.change({ tableUuid, name: 'it', policy, roles }),
        await grants.changeRole({ role: 'x', add: ['role:gone'], remove: [], roles, nowMs: NOW }),
      ]
      await grants.changeRole({ role: 'here', add: [ADA], remove: [], nowMs: NOW })
      expect(await all()).toEqual(['role-gone', 'role-gone', 'role-gone'])
      expect([await shown(tableUuid), await policies.listAll()]).toEqual([[], []])
      await grants.changeRole({ role: 'gone', add: [BOB], remove: [], nowMs: NOW })
      expect(await all()).toEqual(['changed', 'changed', 'changed'])
    })

    test('what is forgotten with a thing that is gone is told, thing by thing', async () => {
      const { grants, events } = catalog()
      const uuids: string[] = []
      for (const name of ['one', 'two']) {
        const { tableUuid } = (await create(catalog(), name)).definition
        await change(tableUuid, { grant: [to(BOB, 'select')] })
        await catalog().tables.drop({ tableUuid, expectedVersion: 0 })
        uuids.push(tableUuid)
      }
      const { last } = await events.findRange()
      expect(await grants.forgetOrphans({ nowMs: 5_000, beforeMs: 0 })).toBe(0)
      expect(await grants.forgetOrphans({ nowMs: 9_000, beforeMs: 5_001 })).toBe(2)
      const told = await events.list({ after: last, limit: 9 })
      const subjects = told.events.map(({ type, subject }) => `${type} ${subject}`)
      expect(subjects.sort()).toEqual(
        uuids.map((uuid) => `moraine.permissions.changed.v1 ${uuid}`).sort(),
      )
      const [first] = told.events
      const revoked = [to(BOB, 'select')]
      const before = { grants: revoked }
      expect(first?.data).toEqual({ granted: [], revoked, before, is_gone: true })
    })

    test('only keys that may administer count where nobody else signs in', async () => {
      const { grants, keys } = catalog()
      await addKey('ada000000000', true)
      const onlyKeysSignIn = true
      const admin = (principal: string) => [to(principal, 'admin')]
      await change(CATALOG_SECURABLE, {
        grant: [...admin('group:x'), ...admin('user:https://i~b')],
      })
      const revocation = { keyId: 'ada000000000', nowMs: NOW }
      expect(await keys.revoke({ ...revocation, onlyKeysSignIn })).toBe('last-admin')
      const revoke = { securable: CATALOG_SECURABLE, name: 'it', grant: [], revoke: admin(ADA) }
      expect(await grants.change({ ...revoke, nowMs: NOW, onlyKeysSignIn })).toBe('last-admin')
      // Whatever it is granted, it was made to read.
      await keys.create({
        ...{ keyId: 'bob000000000', secretHash: 'x', description: null, scopes: ['select'] },
        ...{ createdBy: 'anonymous', createdAtMs: NOW, expiresAtMs: null, isAdmin: true },
      })
      expect(await keys.revoke({ ...revocation, onlyKeysSignIn })).toBe('last-admin')
      expect(await keys.revoke(revocation)).toBe('revoked')
    })

    test('a transaction knows who started it', async () => {
      const { transactions } = catalog()
      const started = (transactionId: string) => ({
        ...{ transactionId, state: 'open', isolation: 'snapshot', author: null, message: null },
        ...{ createdAtMs: 1, expiresAtMs: 99, endedAtMs: null, revision: 0, results: [] },
      })
      await transactions.start(started('t1') as never, by(ADA))
      await transactions.start(started('t2') as never, by('anonymous'))
      const starters = ['t1', 't2', 't3'].map((id) => transactions.findStarter(id))
      expect(await Promise.all(starters)).toEqual([ADA, null, undefined])
    })
  })
}
