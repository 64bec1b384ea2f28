import type { Tag } from '../../http/route.ts'

export const TABLES_TAG: Tag = {
  name: 'tables',
  description: 'Tables: create, find, read at any moment, describe, clone, roll back, drop.',
}

export const SCHEMAS_TAG: Tag = { name: 'schemas', description: 'Schemas and their evolution.' }
