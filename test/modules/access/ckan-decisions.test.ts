import { CkanDecisions } from '../../../src/modules/access/ckan/ckan-decisions.ts'
import { type CkanStandIn, startCkanStandIn } from './ckan-stand-in.ts'

let ckan: CkanStandIn
beforeAll(async () => {
  ckan = await startCkanStandIn()
})
afterAll(() => ckan.stop())

const LOG = { warn: () => undefined }

function newDecisions(bounds: { atOnce?: number; waitingMax?: number; rememberedMax?: number }) {
  return new CkanDecisions({ address: ckan.address, nowMs: () => 0, log: LOG, ...bounds })
}

const question = (resourceId: string, authorization = 'ada') => ({
  ...{ credential: { authorization }, action: 'resource_show', resourceId },
})

test('those who ask the same at the same time share one look-up', async () => {
  ckan.readers.set('r', 'public')
  ckan.lookUps.length = 0
  const decisions = newDecisions({})
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => decisions.isAllowed(question('r'))),
  )
  expect(new Set(answers)).toEqual(new Set([true]))
  expect(ckan.lookUps).toHaveLength(1)
})

test('few are asked at a time, and who would wait behind too many is refused', async () => {
  let open = 0
  let most = 0
  const held: (() => void)[] = []
  ckan.instead = (response) => {
    most = Math.max(most, ++open)
    held.push(() => {
      open--
      response.writeHead(200).end('{"success":true}')
    })
  }
  const decisions = newDecisions({ atOnce: 2, waitingMax: 3 })
  const asked = Array.from({ length: 8 }, async (_, i) => decisions.isAllowed(question(`r${i}`)))
  const outcomes = Promise.allSettled(asked)
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  while (held.length < 2) await turn()
  for (let answered = 0; answered < 5; ) {
    const next = held.shift()
    next?.()
    if (next === undefined) await turn()
    else answered++
  }
  const settled = await outcomes
  ckan.instead = undefined
  expect(most).toBe(2)
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  const [refused] = settled.filter(({ status }) => status === 'rejected')
  expect(refused).toMatchObject({ reason: { code: 'overloaded' } })
  ckan.readers.set('after', 'public')
  expect(await decisions.isAllowed(question('after'))).toBe(true)
})

test('whoever invents credentials makes it remember no more than so many', async () => {
  ckan.readers.set('r', 'public')
  const decisions = newDecisions({ rememberedMax: 10 })
  for (let i = 0; i < 50; i++) await decisions.isAllowed(question('r', `forged ${i}`))
  expect(decisions.rememberedCount).toBe(10)
})
