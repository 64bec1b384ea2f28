import type { Stores } from '../../catalog/catalog.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { getRestTable } from './load-table.ts'
import { requestNode } from './requests/table-request-json.ts'

/** Engines report their scans and commits. The report is taken and looked at no further. */
export async function takeMetricsReport(
  deps: Stores<'tables'>,
  { name, json }: { readonly name: NamespacedName; readonly json: unknown },
): Promise<void> {
  requestNode(json).get('report-type').string()
  await getRestTable(deps, name)
}
