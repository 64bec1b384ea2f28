import { readTable } from '../../../src/modules/tables/tables.ts'
import type { Workshop } from '../../lake/workshop.ts'

/** Every file below the data folder of the table `t`, named by a snapshot or not. */
export async function dataFileNames({ deps }: Workshop): Promise<string[]> {
  const found: string[] = []
  const { state } = await readTable(deps, { table: 't' })
  for await (const { location } of deps.objects.list(`${state.definition.location}/data`)) {
    found.push(location)
  }
  return found
}
