import type { Tag } from '../../http/route.ts'

export const TABLES_TAG: Tag = {
  name: 'tables',
  description: 'Create, list, read as of any moment, describe, clone, roll back and drop tables.',
}

export const SCHEMAS_TAG: Tag = {
  name: 'schemas',
  description: 'Read and evolve the schemas of tables.',
}
