import { z } from 'zod'
import { boundedRecord } from '../../http/bounded-shapes.ts'
import { NextPageToken, PageQuery } from '../../http/common-shapes.ts'

const EXAMPLE_PROPERTIES = { owner: 'flight-data' }

const Name = z.string().meta({ description: 'Levels, separated by dots.', example: 'aviation.us' })
const Text = z.string().max(100_000)
const PropertyName = z.string().min(1)
const PROPERTIES_MAX = 10_000

export const CreateNamespaceBody = z
  .strictObject({
    name: Name,
    properties: boundedRecord({ key: PropertyName, value: Text }, PROPERTIES_MAX).optional(),
  })
  .meta({
    id: 'CreateNamespace',
    example: { name: 'aviation.us', properties: EXAMPLE_PROPERTIES },
  })

export const ChangeNamespaceBody = z
  .strictObject({
    properties: boundedRecord({ key: PropertyName, value: Text.nullable() }, PROPERTIES_MAX).meta({
      description: 'Properties to set, or null to remove; the others stay as they are.',
    }),
  })
  .meta({ id: 'ChangeNamespace', example: { properties: { owner: 'flight-data', old: null } } })

export const NamespacesQuery = z.strictObject({
  parent: Name.optional().meta({
    description: 'Only namespaces directly below this one; those of the first level if absent.',
    example: 'aviation',
  }),
  ...PageQuery,
})

const name = {
  name: Name,
  levels: z.array(z.string()).meta({ description: 'From the outermost inwards.' }),
}
const EXAMPLE_NAME = { name: 'aviation.us', levels: ['aviation', 'us'] }

export const NamespacesAnswer = z
  .strictObject({ namespaces: z.array(z.strictObject(name)), next_page_token: NextPageToken })
  .meta({ id: 'Namespaces', example: { namespaces: [EXAMPLE_NAME], next_page_token: null } })

export const NamespaceDescription = z
  .strictObject({ ...name, properties: z.record(z.string(), z.string()) })
  .meta({ id: 'Namespace', example: { ...EXAMPLE_NAME, properties: EXAMPLE_PROPERTIES } })

export const DroppedNamespace = z
  .strictObject(name)
  .meta({ id: 'DroppedNamespace', example: EXAMPLE_NAME })
