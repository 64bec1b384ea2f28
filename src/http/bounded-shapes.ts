import { z } from 'zod'

/** Largest number of issues that are made of one list: a response shows as many. */
export const ISSUES_MAX = 20

/**
 * An array whose length is checked before its items, and whose items are read until enough of them
 * are wrong. Zod's own reads every item first, and makes issues of all that are wrong: 65 seconds
 * and 2.6 GB for 8 MiB of bad columns.
 */
export function boundedArray<Item extends z.ZodType>(
  item: Item,
  { min = 0, max }: { readonly min?: number; readonly max: number },
): z.ZodArray<Item> {
  const array = new BoundedArray({ type: 'array', element: item }) as unknown as z.ZodArray<Item>
  const limited = array.max(max)
  return min === 0 ? limited : limited.min(min)
}

const BoundedArray = z.core.$constructor<z.ZodArray, z.core.$ZodArrayDef>(
  'BoundedArray',
  (shape, def) => {
    z.ZodArray.init(shape, def)
    const { parse } = shape._zod
    const itemsMax = itemsMaxOf(def)
    shape._zod.parse = (payload, context) => {
      const items: unknown = payload.value
      if (!Array.isArray(items)) return parse(payload, context)
      // The check for the length makes the issue.
      if (items.length > itemsMax) return payload
      const output: unknown[] = []
      for (const [index, item] of items.entries()) {
        const result = def.element._zod.run({ value: item, issues: [] }, context)
        if (result instanceof Promise) throw new z.core.$ZodAsyncError()
        output.push(result.value)
        payload.issues.push(...z.core.util.prefixIssues(index, result.issues))
        if (payload.issues.length >= ISSUES_MAX) break
      }
      payload.value = output
      return payload
    }
  },
)

function itemsMaxOf({ checks = [] }: z.core.$ZodArrayDef): number {
  const limits = checks.map(({ _zod: { def } }) => def as { check: string; maximum?: number })
  return limits.find(({ check }) => check === 'max_length')?.maximum ?? Number.POSITIVE_INFINITY
}

/** A record of any values by key, with the number of keys checked before they are. */
export function boundedRecord(key: z.ZodString, entriesMax: number) {
  return new BoundedRecord({
    ...{ type: 'record', keyType: key, valueType: z.unknown() },
    entriesMax,
  }) as unknown as z.ZodRecord<z.ZodString, z.ZodUnknown>
}

interface BoundedRecordDef extends z.core.$ZodRecordDef {
  readonly entriesMax: number
}

const BoundedRecord = z.core.$constructor<z.ZodRecord, BoundedRecordDef>(
  'BoundedRecord',
  (shape, def) => {
    z.ZodRecord.init(shape, def)
    const { parse } = shape._zod
    shape._zod.parse = (payload, context) => {
      const input: unknown = payload.value
      const isObject = typeof input === 'object' && input !== null && !Array.isArray(input)
      if (!isObject || Object.keys(input).length <= def.entriesMax) return parse(payload, context)
      payload.issues.push({
        ...{ code: 'too_big', origin: 'record', maximum: def.entriesMax, inclusive: true },
        ...{ input: input as never, inst: shape },
      })
      return payload
    }
  },
)
