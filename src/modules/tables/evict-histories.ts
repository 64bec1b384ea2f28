import type { Consumer } from '../../lake/events/consumer.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** Evicts what each replica has cached of tables that were dropped, by any of them. */
export function evictHistories({ publisher }: Pick<LakeServices, 'publisher'>): Consumer {
  return {
    name: 'histories of dropped tables',
    events: ['moraine.table.dropped.v1'],
    scope: 'replica',
    async handle(batch) {
      for (const { subject } of batch) publisher.histories.evict(subject)
    },
  }
}
