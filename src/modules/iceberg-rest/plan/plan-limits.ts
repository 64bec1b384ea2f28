/** Bounds on the cost and the response of one planning request. */
export const TASKS_PER_PAGE_MAX = 1_000
/** Size of the tasks in one response, in characters of JSON. */
export const PAGE_LENGTH_MAX = 1024 * 1024
/** Manifest entries that one request examines; the rest becomes another plan task. */
export const ENTRIES_PER_REQUEST_MAX = 2_000_000
/** Comparisons for one file; if a filter needs more, only part of it prunes. */
export const FILTER_COST_MAX = 200
/** Largest number of comparisons for one request: a costly filter examines fewer entries. */
export const COMPARISONS_PER_REQUEST_MAX = 20_000_000
/** Size of all plan tasks in one response, in characters. */
export const PLAN_TASKS_LENGTH_MAX = 256 * 1024
/**
 * A filter as JSON that a plan task carries; a longer one is left out, and the plan keeps every
 * file.
 */
export const TASK_FILTER_LENGTH_MAX = 64 * 1024
/** The same for plan ids, which are part of a URL. */
export const ID_FILTER_LENGTH_MAX = 4 * 1024
/** A longer filter is not repeated in each task; clients know it. */
export const RESIDUAL_LENGTH_MAX = 1024
export const STATS_FIELDS_MAX = 1_000
/** Snapshots in an incremental scan. */
export const ANCESTRY_MAX = 10_000
