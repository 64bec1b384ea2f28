import type { IncomingMessage } from 'node:http'
import { CatalogError } from '../../../src/core/errors.ts'
import { AnswerOnce, type OnceRequest } from '../../../src/http/idempotency/answer-once.ts'
import type { Replays } from '../../../src/http/idempotency/replays.ts'

const unknown = new CatalogError('commit-state-unknown', 'the reply to a COMMIT was lost')
const refused = new CatalogError('table-already-exists', 'Table t exists.')
const away = new CatalogError('overloaded', 'the catalog database is out of reach')

/** What a request is told whose work fails with `error`, in a database that is gone by then. */
async function told(error: CatalogError): Promise<unknown> {
  let finds = 0
  const replays = {
    find: async () => {
      if (finds++ > 0) throw away
      return undefined
    },
  } as Partial<Replays> as Replays
  const once = new AnswerOnce({ replays, nowMs: () => 0, newUuid: () => '' })
  const request: Partial<OnceRequest> = {
    request: { destroyed: false } as IncomingMessage,
    keyed: { principal: '', key: 'k', requestHash: '' } as unknown as OnceRequest['keyed'],
    work: () => Promise.reject(error),
    isForbidden: () => false,
    refusal: (thrown) => {
      throw thrown
    },
  }
  return once.answer(request as OnceRequest).catch((thrown: unknown) => thrown)
}

test('work of an unknown outcome stays one where the kept answer cannot be asked for', async () => {
  expect(await told(unknown)).toBe(unknown)
})

test('a refusal is not told where another may have had the key', async () => {
  expect(await told(refused)).toBe(away)
})
