import { describeAudit } from './audit.contract.ts'
import type { OpenedCatalog } from './catalog-samples.ts'
import { describeCommits } from './commit.contract.ts'
import { describeDatasets } from './datasets.contract.ts'
import { describeDeletions } from './deletions.contract.ts'
import { describeEventOrder } from './event-order.contract.ts'
import { describeEvents } from './events.contract.ts'
import { describeGrants } from './grants.contract.ts'
import { describeHolds } from './holds.contract.ts'
import { describeJobs } from './jobs.contract.ts'
import { describeKeys } from './keys.contract.ts'
import { describeLargeCommits } from './large-commits.contract.ts'
import { describeLeases } from './leases.contract.ts'
import { describeLocationRaces, describeLocations } from './locations.contract.ts'
import { describeNamespaces } from './namespaces.contract.ts'
import { describePaths } from './paths.contract.ts'
import { describePolicies } from './policies.contract.ts'
import { describePublications } from './publications.contract.ts'
import { describeReplacements } from './replacement.contract.ts'
import { describeReplays, describeReservations } from './replays.contract.ts'
import { describeResources } from './resources.contract.ts'
import { describeSchedules } from './schedules.contract.ts'
import { describeSettings } from './settings.contract.ts'
import { describeSharing } from './sharing.contract.ts'
import { describeSnapshots } from './snapshots.contract.ts'
import { describeTables } from './tables.contract.ts'
import { describeTransactions } from './transactions.contract.ts'
import { describeTurns } from './turns.contract.ts'
import { describeViews } from './views.contract.ts'

/**
 * What every adapter of Catalog keeps. `open` returns an empty catalog that is not migrated yet.
 */
export function describeCatalog(
  open: () => Promise<OpenedCatalog>,
  { isShared }: { isShared: boolean },
): void {
  const current = { opened: undefined as OpenedCatalog | undefined }
  const opened = (): OpenedCatalog => {
    if (current.opened === undefined) throw new Error('no catalog is open')
    return current.opened
  }
  beforeEach(async () => {
    current.opened = await open()
    await current.opened.catalog.migrate()
  })
  afterEach(async () => {
    await current.opened?.catalog.close()
    current.opened = undefined
  })

  const catalog = () => opened().catalog
  describeTables(catalog)
  describeSnapshots(catalog)
  describeTransactions(catalog)
  describeCommits(catalog)
  describePublications(catalog)
  describePaths(catalog)
  describeDeletions(catalog)
  describeLargeCommits(catalog)
  describeLocations(catalog)
  describeNamespaces(catalog)
  describeViews(catalog)
  describeReplays(catalog)
  describeReservations(catalog)
  describeReplacements(catalog)
  describeLeases(catalog)
  describeHolds(catalog)
  describeEvents(catalog)
  describeJobs(catalog)
  describeSchedules(catalog)
  describeSettings(catalog)
  describeGrants(catalog)
  describePolicies(catalog)
  describeResources(catalog)
  describeKeys(catalog)
  describeDatasets(catalog)
  describeAudit(catalog)
  if (isShared) {
    describeSharing(opened)
    describeLocationRaces(opened)
    describeEventOrder(opened)
    describeTurns(opened)
  }
}
