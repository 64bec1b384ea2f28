import type { Stores } from '../../catalog/catalog.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { getRestTable } from './load-table.ts'
import { requestNode } from './requests/table-request-json.ts'

/** Accepts an engine's report of a scan or commit, and ignores it. */
export async function takeMetricsReport(
  deps: Stores<'tables'>,
  { name, json }: { readonly name: NamespacedName; readonly json: unknown },
): Promise<void> {
  requestNode(json).get('report-type').string()
  await getRestTable(deps, name)
}
