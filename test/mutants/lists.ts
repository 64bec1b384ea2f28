import { ARCHIVE_PLACES, COPY_TASKS, NO_CONTENT, OWN_TABLES, PAUSES } from './archives-mutants.ts'
import { AUDIT } from './audit-mutants.ts'
import { BUCKETS } from './buckets-mutants.ts'
import { CATALOG } from './catalog-mutants.ts'
import { CORE } from './core-mutants.ts'
import { DATASETS } from './datasets-mutants.ts'
import { DELETION } from './deletion-mutants.ts'
import { ENGINE } from './engine-mutants.ts'
import { EXPORTS } from './exports-mutants.ts'
import { FORMATS } from './formats-mutants.ts'
import { OLDER_CATALOGS } from './generation-mutants.ts'
import { HELD_FILES } from './holds-mutants.ts'
import { LAKE } from './lake-mutants.ts'
import type { MutantGroup } from './mutant.ts'
import { OBJECTS } from './objects-mutants.ts'
import { POLICIES } from './policies-mutants.ts'
import { ROW_IDS } from './row-ids-mutants.ts'
import { ROWS } from './rows-mutants.ts'
import { SERVICE } from './service-mutants.ts'
import { TURNS } from './turns-mutants.ts'
import { UPLOADS } from './uploads-mutants.ts'

/** All deliberate bugs by the name that `npm run mutants` takes; what runs longest comes first. */
export const LISTS: Readonly<Record<string, readonly MutantGroup[]>> = {
  catalog: CATALOG,
  deletion: DELETION,
  'older-catalogs': OLDER_CATALOGS,
  engine: ENGINE,
  formats: FORMATS,
  lake: LAKE,
  service: SERVICE,
  datasets: DATASETS,
  policies: POLICIES,
  audit: AUDIT,
  exports: EXPORTS,
  'own-tables': OWN_TABLES,
  'archive-places': ARCHIVE_PLACES,
  pauses: PAUSES,
  'copy-tasks': COPY_TASKS,
  'no-content': NO_CONTENT,
  rows: ROWS,
  'row-ids': ROW_IDS,
  uploads: UPLOADS,
  holds: HELD_FILES,
  buckets: BUCKETS,
  objects: OBJECTS,
  core: CORE,
  turns: TURNS,
}
