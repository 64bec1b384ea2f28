import type { Catalog } from '../../src/catalog/catalog.ts'
import { create, definitionOf, newTable, stateOf } from './catalog-samples.ts'

const POLICY = { rowFilter: 'id > 1', except: ['role:staff'] }

const CHANGED = 'moraine.permissions.changed.v1'

export function describePolicies(catalog: () => Catalog): void {
  const change = (tableUuid: string, policy: typeof POLICY | undefined) =>
    catalog().policies.change({ tableUuid, name: 'it', policy })

  describe('policies', () => {
    test('the last one counts, and none is on what is no table', async () => {
      const { tableUuid } = (await create(catalog(), 'planets')).definition
      const { policies } = catalog()
      expect(await change('gone', POLICY)).toBe('not-found')
      expect(await change(tableUuid, { ...POLICY, rowFilter: 'id > 2' })).toBe('changed')
      expect(await change(tableUuid, POLICY)).toBe('changed')
      expect(await policies.listOn([tableUuid, 'gone'])).toEqual([{ tableUuid, policy: POLICY }])
      expect(await policies.listAll()).toHaveLength(1)
      expect(await change(tableUuid, undefined)).toBe('changed')
      expect(await policies.listAll()).toEqual([])
    })

    test('one comes back before its table does, unless the table has one', async () => {
      const { definition } = stateOf('planets', { definition: definitionOf() })
      const { tableUuid } = definition
      const { policies, tables, events } = catalog()
      const other = { ...POLICY, rowFilter: 'id > 2' }
      expect(await policies.bringBack({ tableUuid, policy: POLICY })).toBe('brought-back')
      expect(await policies.bringBack({ tableUuid, policy: other })).toBe('already-there')
      await tables.create(newTable(stateOf('planets', { definition })))
      expect(await policies.listOn([tableUuid])).toEqual([{ tableUuid, policy: POLICY }])
      const { events: told } = await events.list({ after: 0n, types: [CHANGED], limit: 100 })
      expect(told.map(({ subject, data }) => [subject, data['has_policy']])).toEqual([
        [tableUuid, true],
      ])
    })

    test('they pass to a clone in the step that makes it, bound to its own columns', async () => {
      const { tableUuid: source } = (await create(catalog(), 'planets')).definition
      const { policies, tables, events } = catalog()
      const clone = async (name: string, copiesPolicy?: 'bound' | 'unbound') => {
        const table = newTable(stateOf(name, { definition: definitionOf() }))
        const copied = { copyPathsFromTableUuid: source, ...(copiesPolicy && { copiesPolicy }) }
        expect(await tables.create({ ...table, ...copied })).toBe('created')
        const { tableUuid } = table.state.definition
        const [kept] = await policies.listOn([tableUuid])
        return { tableUuid, policy: kept?.policy }
      }
      expect((await clone('before', 'bound')).policy).toBeUndefined()
      const names = { tableUuid: source, schemaId: 0 }
      const rules = { ...POLICY, columns: [{ column: 'id', action: 'sha-256-global' } as const] }
      await policies.change({ tableUuid: source, name: 'it', policy: { ...rules, names } })
      const bound = await clone('bound', 'bound')
      const own = { tableUuid: bound.tableUuid, schemaId: 0 }
      expect(bound.policy).toEqual({ ...rules, names: own })
      const { events: told } = await events.list({ after: 0n, types: [CHANGED], limit: 100 })
      const its = told.filter(({ subject }) => subject === bound.tableUuid)
      expect(its.map(({ data }) => data['has_policy'])).toEqual([true])
      expect((await clone('unbound', 'unbound')).policy).toEqual({ ...rules, names })
      expect((await clone('none')).policy).toBeUndefined()
      // What is bound to no table shows nothing, and so does its clone.
      await change(source, POLICY)
      expect((await clone('lost', 'bound')).policy).toEqual(POLICY)
      expect(await policies.listOn([source])).toEqual([{ tableUuid: source, policy: POLICY }])
    })

    test('they except and trust nobody who is gone, and tell what they were', async () => {
      const { policies, grants, keys, events } = catalog()
      const key = 'key:ada000000000'
      const members = { role: 'staff', add: [key], remove: [], nowMs: 1 }
      await grants.changeRole(members)
      await keys.create({
        ...{ keyId: 'ada000000000', secretHash: 'x', description: null, scopes: null },
        ...{ createdBy: 'anonymous', createdAtMs: 1, expiresAtMs: null },
      })
      const both = { ...POLICY, except: ['role:staff', 'role:sta_f', key], trustedEngines: [key] }
      const excepted = (await create(catalog(), 'excepted')).definition.tableUuid
      const trusted = (await create(catalog(), 'trusted')).definition.tableUuid
      const other = (await create(catalog(), 'other')).definition.tableUuid
      await change(excepted, both)
      await change(trusted, { ...POLICY, except: [], ...{ trustedEngines: ['role:staff'] } })
      await change(other, { ...POLICY, except: ['role:stabf'] })
      const { last } = await events.findRange()
      expect(await grants.dropRole({ role: 'staff', nowMs: 1 })).toBe('dropped')
      expect(await keys.revoke({ keyId: 'ada000000000', nowMs: 1 })).toBe('revoked')
      const left = new Map((await policies.listAll()).map((each) => [each.tableUuid, each.policy]))
      expect(left.get(excepted)).toEqual({ ...both, except: ['role:sta_f'], trustedEngines: [] })
      expect(left.get(trusted)).toEqual({ ...POLICY, except: [], trustedEngines: [] })
      expect(left.get(other)).toEqual({ ...POLICY, except: ['role:stabf'] })
      const { events: told } = await events.list({ after: last, types: [CHANGED], limit: 9 })
      expect(told.map(({ name }) => name).sort()).toEqual([
        ...['sky.excepted', 'sky.excepted', 'sky.trusted'],
      ])
      const api = { row_filter: 'id > 1', columns: [] }
      expect(told.find(({ subject }) => subject === trusted)?.data).toEqual({
        ...{ granted: [], revoked: [], has_policy: true },
        policy: { ...api, except: [], trusted_engines: [] },
        before: { policy: { ...api, except: [], trusted_engines: ['role:staff'] } },
      })
    })

    test('they except nobody by a role made only now, unless a provider names it', async () => {
      const { policies, grants } = catalog()
      const { tableUuid } = (await create(catalog(), 'upgraded')).definition
      const both = { ...POLICY, except: ['role:late'], trustedEngines: ['role:foreign'] }
      await change(tableUuid, both)
      const making = { add: [], remove: [], nowMs: 1 }
      const foreign = { ...making, role: 'foreign', hasForeignRoles: true }
      expect(await grants.changeRole(foreign)).toBe('changed')
      expect((await policies.listOn([tableUuid]))[0]?.policy).toEqual(both)
      expect(await grants.changeRole({ ...making, role: 'late' })).toBe('changed')
      const kept = { ...both, except: [] }
      expect((await policies.listOn([tableUuid]))[0]?.policy).toEqual(kept)
      // A role that is there is excepted as long as it is.
      await change(tableUuid, both)
      expect(await grants.changeRole({ ...making, role: 'late' })).toBe('changed')
      expect((await policies.listOn([tableUuid]))[0]?.policy).toEqual(both)
    })

    test('they pass to what replaces a table, and outlive a drop for a while', async () => {
      const { tableUuid } = (await create(catalog(), 'planets')).definition
      const { policies } = catalog()
      await change(tableUuid, POLICY)
      const table = newTable(stateOf('planets', { definition: definitionOf() }))
      await catalog().tables.replace({ tableUuid, expectedVersion: 0, table })
      const { tableUuid: second } = table.state.definition
      const both = [tableUuid, second].sort()
      const found = async () => (await policies.listOn(both)).map((each) => each.tableUuid).sort()
      // The files of the first are still there to be named.
      expect(await found()).toEqual(both)
      expect(await policies.forgetOrphans({ nowMs: 5_000, beforeMs: 0 })).toBe(0)
      expect(await policies.forgetOrphans({ nowMs: 9_000, beforeMs: 5_001 })).toBe(1)
      expect(await found()).toEqual([second])
      await catalog().tables.drop({ tableUuid: second, expectedVersion: 0 })
      expect(await policies.forgetOrphans({ nowMs: 9_000, beforeMs: 0 })).toBe(0)
      expect(await found()).toEqual([second])
      expect(await policies.forgetOrphans({ nowMs: 9_500, beforeMs: 9_001 })).toBe(1)
    })
  })
}
