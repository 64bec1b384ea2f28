/**
 * Connections to a store at once, for each of its users. A reader that takes nothing holds one, and
 * there are more than readers of dumps: with the last, all that use the store would wait for them.
 */
export const STORE_CONNECTIONS_MAX = 1_280
