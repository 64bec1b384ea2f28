import type { AnswerKeeper } from '../../core/replay.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { type DropDependencies, dropTable } from '../tables/drop-table.ts'
import { NO_CONTENT } from './kept-answer.ts'
import { getRestTable } from './load-table.ts'

export async function dropRestTable(
  deps: DropDependencies,
  { name, purge }: { readonly name: NamespacedName; readonly purge: boolean },
  keeper: AnswerKeeper,
): Promise<void> {
  const { tableUuid } = (await getRestTable(deps, name)).definition
  await dropTable(deps, tableUuid, { purge, keep: () => keeper.withEffect(NO_CONTENT) })
}
