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

/** A record whose members are counted before they are read, and read as those of a list are. */
export function boundedRecord<Value extends z.ZodType>(
  { key, value }: { readonly key: z.ZodString; readonly value: Value },
  entriesMax: number,
): z.ZodRecord<z.ZodString, Value> {
  const def = { type: 'record' as const, keyType: key, valueType: value, entriesMax }
  return new BoundedRecord(def) as unknown as z.ZodRecord<z.ZodString, Value>
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
      if (typeof input !== 'object' || input === null || Array.isArray(input)) {
        return parse(payload, context)
      }
      if (Object.keys(input).length > def.entriesMax) {
        payload.issues.push({
          ...{ code: 'too_big', origin: 'record', maximum: def.entriesMax, inclusive: true },
          ...{ input: input as never, inst: shape },
        })
        return payload
      }
      payload.value = readEntries(Object.entries(input), (entry) => {
        const one = parse({ value: Object.fromEntries([entry]), issues: [] }, context)
        if (one instanceof Promise) throw new z.core.$ZodAsyncError()
        payload.issues.push(...one.issues)
        return payload.issues.length < ISSUES_MAX ? (one.value as object) : undefined
      }) as never
      return payload
    }
  },
)

/** The members that `read` makes of each entry, until it returns nothing. */
function readEntries(
  entries: readonly [string, unknown][],
  read: (entry: [string, unknown]) => object | undefined,
): object {
  const output: [string, unknown][] = []
  for (const entry of entries) {
    const one = read(entry)
    if (one === undefined) break
    output.push(...Object.entries(one))
  }
  return Object.fromEntries(output)
}
