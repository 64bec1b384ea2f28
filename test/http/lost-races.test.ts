import { link } from 'node:fs/promises'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { readConfig } from '../../src/config.ts'
import { COMMIT_ATTEMPTS_MAX, RACE_MS_MAX } from '../../src/core/limits.ts'
import { openPlatform, type Platform } from '../../src/service.ts'
import { describeOnBoth } from '../lake/replicas.ts'
import { commitFiles } from '../lake/trusted-caller.ts'
import { writeParquet } from '../parquet-files.ts'
import { type Answer, ask, must, post } from './client.ts'
import { startTestService, type TestService } from './harness.ts'

const ROWS = 'SELECT 1::BIGINT AS n'

describeOnBoth(
  () => '',
  (newCatalog) => {
    let service: TestService
    let rival: Platform
    let files = 0
    let isLosing: boolean
    let lost: number
    let table: string

    beforeAll(async () => {
      const catalog = await newCatalog()
      service = await startTestService({
        environment: catalog === '' ? {} : { MORAINE_CATALOG: catalog },
      })
      rival = await openPlatform(
        readConfig({
          MORAINE_ALLOWED_LOCATIONS: service.dataFolder,
          MORAINE_CATALOG: catalog || `sqlite:${service.home}/catalog.db`,
          MORAINE_HOME: join(service.home, 'rival'),
          MORAINE_WAREHOUSE: `file://${service.home}/warehouse`,
        }),
        { inThreads: false },
      )
      // It does not queue, as the turns are there for courtesy alone.
      rival.catalog.turns.take = async () => undefined
      await writeParquet(join(service.dataFolder, 'template.parquet'), ROWS)
      loseRaces()
    })
    afterAll(async () => {
      jest.restoreAllMocks()
      await rival?.close()
      await service?.close()
    })
    beforeEach(async () => {
      ;[isLosing, lost, table] = [true, 0, `t${files}`]
      const schema = { columns: [{ name: 'n', type: 'long' }] }
      await must(post(service, '/v1/tables', { name: table, schema }), 201)
    })

    /**
     * The other process comes first at each attempt, more often than a client of Iceberg is let
     * lose; then the time is over in which a change is attempted.
     */
    function loseRaces(): void {
      const isLate = () => lost > COMMIT_ATTEMPTS_MAX
      const now = performance.now.bind(performance)
      jest.spyOn(performance, 'now').mockImplementation(() => now() + (isLate() ? RACE_MS_MAX : 0))
      const { tables } = service.deps.catalog
      const commit = tables.commit.bind(tables)
      tables.commit = async (change) => {
        if (isLosing) {
          await commitFiles(rival, { table, paths: [await newFile()] })
          lost++
        }
        return commit(change)
      }
    }

    async function newFile(): Promise<string> {
      const path = join(service.dataFolder, `f-${files++}.parquet`)
      await link(join(service.dataFolder, 'template.parquet'), path)
      return path
    }

    async function registration(
      headers: Record<string, string> = {},
    ): Promise<() => Promise<Answer>> {
      const json = { files: [{ path: await newFile() }] }
      return () => ask(service, `/v1/tables/${table}/files`, { method: 'POST', json, headers })
    }

    async function inSteps(): Promise<() => Promise<Answer>> {
      const started = await must(post(service, '/v1/transactions/start', {}), 201)
      const json = { transaction_id: started.transaction_id }
      const staged = { ...json, files: [{ path: await newFile() }] }
      await must(post(service, `/v1/tables/${table}/files`, staged))
      return () => post(service, '/v1/transactions/commit', json)
    }

    async function upload(): Promise<() => Promise<Answer>> {
      const headers = { 'Content-Type': 'text/csv' }
      return () =>
        ask(service, `/v1/tables/${table}/files`, { method: 'POST', raw: 'n\n1\n', headers })
    }

    test.each([
      ['a registered file', registration],
      ['a registered file with a key', () => registration({ 'Idempotency-Key': 'k-1' })],
      ['a transaction in steps', inSteps],
      ['an upload', upload],
    ])('an append that loses until the deadline is 503 and never 409: %s', async (_, prepare) => {
      const append = await prepare()
      const refused = await append()
      expect([refused.status, refused.body.type]).toEqual([503, '/problems/overloaded'])
      expect(refused.headers.get('retry-after')).toBe('1')
      expect(lost).toBe(COMMIT_ATTEMPTS_MAX + 1)
      // Nothing of it was acknowledged or stayed, and it can come again as it is.
      const total = async () => (await must(ask(service, `/v1/tables/${table}`))).totals?.data_files
      expect(await total()).toBe(lost)
      isLosing = false
      expect((await append()).status).toBeLessThan(300)
      expect(await total()).toBe(lost + 1)
    })
  },
)
