import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AuditStore } from '../../../src/catalog/audit/audit-store.ts'
import { AuditSealer, type SealerDependencies } from '../../../src/modules/audit/audit-sealer.ts'
import { writeSeal } from '../../../src/modules/audit/seal-document.ts'
import { newSealKeyText, sealKeyOf } from '../../../src/modules/audit/seal-key.ts'
import { withStore } from '../../lake/failing-disk.ts'
import { START_MS } from '../../lake/workshop.ts'
import {
  COLUMNS,
  insertedInto,
  openSealedAudit,
  replaceFile,
  type SealedAudit,
} from './sealed-audit.ts'

const DAY_MS = 86_400_000

let audit: SealedAudit
beforeEach(async () => {
  audit = await openSealedAudit()
})
afterEach(() => audit.close())

const sealOf = (seal: number) => audit.sealOf(seal)

/** The same services, with other methods of the store. */
function depsWith(methods: Partial<AuditStore>): SealerDependencies {
  return { ...audit.deps, catalog: withStore(audit.deps.catalog, 'audit', methods) }
}

const sealThree = () => audit.sealThree()

test('each new row gets into one seal, each seal names the one before, and all fits', async () => {
  expect(await audit.verify()).toMatchObject({ seals: 0n, rows: 0, last: undefined })
  await audit.seal()
  await sealThree()
  await audit.seal()
  await audit.add('i')
  const [first, second, third] = [await sealOf(1), await sealOf(2), await sealOf(3)]
  expect(first).toMatchObject({ seal: 1n, previous: null, prunedThrough: 0n, newestMs: START_MS })
  expect([second.previous, third.previous]).toEqual([first.hash, second.hash])
  expect([first, second, third].map(({ rows }) => rows.map(({ position }) => position))).toEqual([
    [1n, 2n, 3n],
    [4n, 5n],
    [6n, 7n, 8n],
  ])
  expect(await readdir(dirname(audit.copyOf(1)))).toEqual(['1.json', '2.json', '3.json'])
  const last = { seal: 3n, hash: third.hash }
  expect(await audit.verify({ expected: last })).toEqual({
    ...{ seals: 3n, rows: 8, unsealed: 1, prunedThrough: 0n, last },
    ...{ late: 0, firstLate: undefined },
  })
  const rows = await audit.deps.catalog.audit.list({ limit: 100 })
  expect(rows.map(({ seal }) => seal)).toEqual([null, 3n, 3n, 3n, 2n, 2n, 1n, 1n, 1n])
})

test('more rows than one seal takes are in several at once', async () => {
  await audit.add(...Array.from({ length: 5_001 }, (_, i) => `r${i}`))
  await audit.seal()
  expect(await audit.verify()).toMatchObject({ seals: 2n, rows: 5_001, unsealed: 0 })
  expect((await sealOf(2)).rows).toHaveLength(1)
})

test('the private key is made once, for this user only, and is in no database', async () => {
  const path = `${dirname(audit.dataFolder)}/audit-key.pem`
  const { fingerprint } = await audit.deps.sealKey()
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const text = await readFile(path, 'utf8')
  expect(sealKeyOf(text).fingerprint).toBe(fingerprint)
  expect((await (await audit.another()).sealKey()).fingerprint).toBe(fingerprint)
  await sealThree()
  expect((await sealOf(3)).fingerprint).toBe(fingerprint)
})

const ROW_CHANGES: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'another principal',
    ["update audit_rows set principal = 'x' where row_id = 'e'"],
    /^row: row 5 /,
  ],
  ['another time', ['update audit_rows set time_ms = 1 where position = 2'], /^row: row 2 \(b\)/],
  [
    'another hash',
    ["update audit_rows set hash = 'x' where row_id = 'g'"],
    /^row: row 7 \(g\) of seal 3 was changed/,
  ],
  [
    'a whole row of another, hash and all',
    [
      `update audit_rows set (row_id, time_ms, ${COLUMNS}) = (select 'z', time_ms, ${COLUMNS}
       from audit_rows where row_id = 'a') where row_id = 'd'`,
    ],
    /^row: row 4 \(z\) of seal 2 was changed/,
  ],
  [
    'one deleted',
    ["delete from audit_rows where row_id = 'b'"],
    /^row: row 2 of seal 1 is missing/,
  ],
  [
    'the last one deleted',
    ["delete from audit_rows where row_id = 'h'"],
    /^row: row 8 of seal 3 is missing/,
  ],
  ['one inserted into a seal', [insertedInto(2, 'e')], /^row: row 9 \(z\) says that seal 2 has it/],
  [
    'one inserted into no seal',
    [insertedInto(77, 'e')],
    /^row: row 9 \(z\) says that seal 77 has it/,
  ],
  ['one inserted before all', [insertedInto(0, 'e')], /^row: row 9 \(z\) says that seal 0 has it/],
  [
    'two in each other’s place',
    [
      'update audit_rows set position = 100 where position = 1',
      'update audit_rows set position = 1 where position = 2',
      'update audit_rows set position = 2 where position = 100',
    ],
    /^row: row 1 \(b\) of seal 1 was changed/,
  ],
  [
    'one moved to a later seal',
    ["update audit_rows set seal = 3 where row_id = 'a'"],
    /^row: row 1 of seal 1 is missing/,
  ],
  [
    'one taken out of its seal',
    ["update audit_rows set seal = null where row_id = 'f'"],
    /^row: row 6 of seal 3 is missing/,
  ],
]

test.each(ROW_CHANGES)('a row is named: %s', async (_, statements, fault) => {
  await sealThree()
  audit.change(...statements)
  expect(await audit.verify()).toMatch(fault)
  // Nor does a later seal make it right.
  await audit.add('later')
  await audit.seal()
  expect(await audit.verify()).toMatch(fault)
})

test('a row that was changed before any seal had it is named, too', async () => {
  await audit.add('a')
  audit.change("update audit_rows set name = 'x'")
  expect(await audit.verify()).toMatch(/^row: row 1 \(a\) that no seal has yet was changed/)
  await audit.seal()
  expect(await audit.verify()).toMatch(/^row: row 1 \(a\) of seal 1 was changed/)
})

const SEAL_CHANGES: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'its hash changed',
    ["update audit_seals set hash = 'x' where seal = 2"],
    /^seal: seal 2 is another one in the catalog/,
  ],
  [
    'rows given up',
    ['update audit_seals set pruned_through = 2 where seal = 3', 'delete from audit_rows'],
    /^row: row 1 of seal 1 is missing/,
  ],
  [
    'rows given up, which stay',
    ['update audit_seals set pruned_through = 2 where seal = 3'],
    /^seal: seal 3 is another one in the catalog/,
  ],
  [
    'one deleted',
    ['delete from audit_seals where seal = 1'],
    /^seal: seal 1 is missing in the cat/,
  ],
  [
    'the last one and its rows deleted',
    ['delete from audit_seals where seal = 3', 'delete from audit_rows where seal = 3'],
    /^row: row 6 of seal 3 is missing/,
  ],
  [
    'the last two and their rows deleted',
    ['delete from audit_seals where seal > 1', 'delete from audit_rows where seal > 1'],
    /^seal: seal 2 is missing in the catalog/,
  ],
]

test.each(SEAL_CHANGES)('a seal of the catalog is named: %s', async (_, statements, fault) => {
  await sealThree()
  audit.change(...statements)
  expect(await audit.verify()).toMatch(fault)
})

test('a seal of the warehouse is named: changed, missing, replaced by another', async () => {
  await sealThree()
  const path = audit.copyOf(2)
  const bytes = await readFile(path)
  const text = bytes.toString()
  await replaceFile(path, text.replace('"previous"', '"previous" '))
  expect(await audit.verify()).toMatch(/^seal: seal 2 is damaged: it is not spelled as/)
  await replaceFile(path, text.replace('sealed_at":"2024', 'sealed_at":"2023'))
  expect(await audit.verify()).toMatch(/^seal: seal 2 is damaged: its signature does not fit/)
  await replaceFile(path, 'x')
  expect(await audit.verify()).toMatch(/^seal: seal 2 is damaged: it is not the document/)
  await replaceFile(path, writeSeal(await sealOf(1), await audit.deps.sealKey()))
  expect(await audit.verify()).toMatch(/^seal: seal 2 is another one in the catalog/)
  await rm(path)
  expect(await audit.verify()).toMatch(/^seal: seal 2 is missing in the warehouse: file:.*2.json/)
  await replaceFile(path, bytes)
  expect(await audit.verify()).toMatchObject({ seals: 3n })
})

test('what is changed in both, and signed by another key, has an unknown key', async () => {
  await sealThree()
  const key = sealKeyOf(newSealKeyText())
  audit.change("delete from audit_rows where row_id = 'h'")
  const { rows, ...facts } = await sealOf(3)
  await replaceFile(audit.copyOf(3), writeSeal({ ...facts, rows: rows.slice(0, -1) }, key))
  audit.change(`update audit_seals set hash = '${(await sealOf(3)).hash}' where seal = 3`)
  expect(await audit.verify()).toBe(
    `key: seal 3 is signed by a key that is not known: ${key.fingerprint}`,
  )
  const keys = new Set([key.fingerprint, (await audit.deps.sealKey()).fingerprint])
  expect(await audit.verify({ keys })).toMatchObject({ seals: 3n, rows: 7 })
})

test.each([
  ['another before it', { previous: '0'.repeat(64) }],
  ['another number', { seal: 4n }],
  ['rows of its own given up', { prunedThrough: 3n }],
])('a seal that is signed, and has %s, does not follow', async (_, changed) => {
  await sealThree()
  const key = await audit.deps.sealKey()
  await replaceFile(audit.copyOf(3), writeSeal({ ...(await sealOf(3)), ...changed }, key))
  const { hash, prunedThrough } = await sealOf(3)
  const values = `hash = '${hash}', pruned_through = ${prunedThrough}`
  audit.change(`update audit_seals set ${values} where seal = 3`)
  expect(await audit.verify()).toBe('seal: seal 3 does not follow the one before')
})

test('a tail cut in both is told by a seal that was noted before', async () => {
  await sealThree()
  const expected = { seal: 3n, hash: (await sealOf(3)).hash }
  audit.change('delete from audit_rows where seal = 3', 'delete from audit_seals where seal = 3')
  await rm(audit.copyOf(3))
  expect(await audit.verify()).toMatchObject({ seals: 2n })
  expect(await audit.verify({ expected })).toMatch(/^seal: seal 3 with the expected hash is not/)
})

test('a row with a time of long ago is told, although it is in a seal', async () => {
  await sealThree()
  await audit.add('i')
  audit.setClock(START_MS + 3_600_001)
  await audit.seal()
  expect(await audit.verify()).toMatchObject({ seals: 4n, late: 1, firstLate: 'row 9 (i)' })
})

describe('what a process that is killed leaves', () => {
  const killedAt = (name: 'addSeal' | 'prune') =>
    depsWith({ [name]: () => Promise.reject(new Error('killed')) })

  test('a seal that only the warehouse has is taken over, with its rows only', async () => {
    await sealThree()
    await audit.add('i', 'j')
    await expect(audit.seal(killedAt('addSeal'))).rejects.toThrow('killed')
    await audit.add('k')
    expect(await audit.verify()).toMatchObject({ seals: 4n, rows: 10 })
    await audit.seal()
    expect((await sealOf(4)).rows).toHaveLength(2)
    expect((await sealOf(5)).rows).toHaveLength(1)
    expect(await audit.verify()).toMatchObject({ seals: 5n, rows: 11, unsealed: 0 })
  })

  test('rows that a seal gave up are removed at the next start', async () => {
    await sealThree()
    audit.setClock(START_MS + 402 * DAY_MS)
    await audit.seal()
    audit.setClock(START_MS + 404 * DAY_MS)
    await expect(audit.seal(killedAt('prune'))).rejects.toThrow('killed')
    expect(await audit.verify()).toMatchObject({ seals: 5n, rows: 8, prunedThrough: 3n })
    await audit.seal()
    expect(await audit.verify()).toMatchObject({ seals: 5n, rows: 0, prunedThrough: 3n })
  })

  test('nothing follows a file that is not the next seal', async () => {
    await sealThree()
    await audit.add('i')
    await replaceFile(audit.copyOf(4), await readFile(audit.copyOf(2)))
    await expect(audit.seal()).rejects.toThrow('does not follow the last seal')
    expect(await audit.verify()).toMatch(/^seal: seal 4 does not follow/)
  })

  test('a seal of another key is taken over, but gives up no rows', async () => {
    await sealThree()
    const key = sealKeyOf(newSealKeyText())
    const { hash } = await sealOf(3)
    const facts = { seal: 4n, previous: hash, sealedAtMs: START_MS, newestMs: 0, rows: [] }
    await replaceFile(audit.copyOf(4), writeSeal({ ...facts, prunedThrough: 3n }, key))
    await audit.add('i')
    await expect(audit.seal()).rejects.toThrow('does not follow the last seal')
    await replaceFile(audit.copyOf(4), writeSeal({ ...facts, prunedThrough: 0n }, key))
    await audit.seal()
    expect(await audit.verify()).toMatch(/^key: seal 4 is signed by a key that is not known/)
    const keys = new Set([key.fingerprint, (await audit.deps.sealKey()).fingerprint])
    expect(await audit.verify({ keys })).toMatchObject({ seals: 5n, rows: 9 })
  })
})

test('a replica with another key than the last seal tells so when it starts', async () => {
  await sealThree()
  const warnings: string[] = []
  const warn = (_facts: object, message: string) => warnings.push(message)
  const log = { ...audit.deps.log, warn }
  await new AuditSealer({ ...audit.deps, log }).lookAtKey()
  expect(warnings).toEqual([])
  const key = sealKeyOf(newSealKeyText())
  await new AuditSealer({ ...audit.deps, log, sealKey: async () => key }).lookAtKey()
  expect(warnings).toEqual([expect.stringContaining('give all replicas one MORAINE_AUDIT_KEY')])
})

test('of two replicas one makes each seal, and no row is left out or in two', async () => {
  const other = await audit.another()
  for (let round = 0; round < 10; round++) {
    await audit.add(...Array.from({ length: 7 }, (_, i) => `${round}-${i}`))
    await Promise.all([audit.seal(), audit.seal(other)])
  }
  expect(await audit.verify()).toMatchObject({ rows: 70, unsealed: 0 })
})

test('what another seals after the rows were read is in one seal', async () => {
  await sealThree()
  await audit.add('i', 'j')
  const listOfSeal: AuditStore['listOfSeal'] = async (query) => {
    const rows = await audit.deps.catalog.audit.listOfSeal(query)
    await audit.seal()
    return rows
  }
  await audit.seal(depsWith({ listOfSeal }))
  expect(await audit.verify()).toMatchObject({ seals: 4n, rows: 10, unsealed: 0 })
})
