import { z } from 'zod'
import { EXAMPLE_UUID } from '../../http/common-shapes.ts'
import { exampleTable, TableAnswer } from './table-shapes.ts'

export const NewTableAnswer = TableAnswer.extend({
  namespace_created: z.boolean().optional().meta({
    description: 'Whether the namespace did not exist before, and was made with the table.',
  }),
  notes: z
    .array(z.string())
    .optional()
    .meta({
      description:
        'By column of `infer_from`: what was guessed, as for a column without any value, and ' +
        'what other engines may not read.',
    }),
}).meta({ id: 'NewTable', example: { ...exampleTable, namespace_created: true } })

export const DropTableQuery = z.strictObject({
  purge: z
    .enum(['true', 'false', 'now'])
    .optional()
    .meta({
      description:
        'Also deletes the files that nothing else names, after the grace ' +
        '(`MORAINE_DELETE_GRACE`); or `now`, with the table’s dumps.',
      example: 'true',
    }),
})

export const DropTableAnswer = z
  .strictObject({
    identifier: z.string(),
    table_id: z.string(),
    purged: z.boolean().meta({
      description: 'Whether a purge was asked for and is done: no file is scheduled any more.',
    }),
    metadata_location: z
      .string()
      .nullable()
      .meta({
        description:
          'The last metadata file: registered, it brings the table back while its files are ' +
          'there. null after `purge=now`, or if it could not be written.',
      }),
    deleted_files: z.int().meta({ description: 'Files deleted at once.' }),
    scheduled_files: z.int().meta({
      description: 'Files that will be deleted after the grace, unless something names them again.',
    }),
    kept_files: z.int().meta({
      description:
        'Files not deleted: something else names them, they are below no table’s location, or ' +
        'a table keeps them (`gc.enabled`).',
    }),
    held_by: z
      .array(
        z.strictObject({
          kind: z.string().meta({
            description:
              '`table`, `branch`, `tag`, `transaction` or `dump`; `dropped-table`, which was ' +
              'dropped without a purge and may be registered again; while it reads, also ' +
              '`query`, `dataset`, `export` or `rewrite`.',
            example: 'tag',
          }),
          name: z.string().meta({
            description:
              'Of the table, the dataset or the export task, or the id of the transaction or of ' +
              'the dropped table.',
          }),
          table_id: z.string(),
          ref: z.string().nullable().meta({ description: 'Name of the branch or tag.' }),
          files: z.int(),
        }),
      )
      .meta({ description: 'What else names files of the table: at most 100, most files first.' }),
    notes: z
      .array(z.string())
      .optional()
      .meta({ description: 'Why files were kept that nothing else names.' }),
  })
  .meta({
    id: 'DropTableAnswer',
    example: {
      identifier: 'aviation.flights',
      table_id: EXAMPLE_UUID,
      purged: false,
      metadata_location:
        'file:///srv/moraine/warehouse/2f/flights-2f9e1d3c/metadata/00012-5b1c.metadata.json',
      deleted_files: 0,
      scheduled_files: 12,
      kept_files: 3,
      held_by: [
        {
          kind: 'table',
          name: 'aviation.flights_2024',
          table_id: EXAMPLE_UUID,
          ref: null,
          files: 3,
        },
      ],
    },
  })
