import { openPostgresEngine } from '../../../src/catalog/postgres/postgres.ts'
import { describePostgres } from '../postgres-server.ts'
import { describeSlices } from '../slices.contract.ts'

describePostgres((server) =>
  describeSlices(async () => {
    const url = await server().newDatabase()
    const open = () => openPostgresEngine({ url, connectionsMax: 4 }).engine
    return [open(), open()]
  }),
)
