import { openPostgresEngine } from '../../../src/catalog/postgres/postgres.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../postgres-server.ts'
import { describeSlices } from '../slices.contract.ts'

const reason = whyNoPostgres()

if (reason !== undefined) {
  test.skip(`PostgreSQL: ${reason}`, () => undefined)
} else {
  describe('PostgreSQL', () => {
    let server: PostgresServer

    beforeAll(async () => {
      server = await startPostgres()
    }, 60_000)
    afterAll(async () => {
      await server?.stop()
    }, 60_000)

    describeSlices(async () => {
      const url = await server.newDatabase()
      const open = () => openPostgresEngine({ url, connectionsMax: 4 }).engine
      return [open(), open()]
    })
  })
}
