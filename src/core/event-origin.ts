/** Who caused a change. Kept with its events for audit, never shown by the public route. */
export interface EventOrigin {
  readonly principal?: string
  readonly requestId?: string
  readonly address?: string
}

/**
 * The origin of a change that several requests share: each member lists theirs, by commas, in
 * their order. `undefined` when none of them says anything.
 */
export function jointOrigin(
  origins: readonly (EventOrigin | undefined)[],
): EventOrigin | undefined {
  const [first, ...others] = origins
  if (others.length === 0) return first
  const listOf = (member: keyof EventOrigin): Pick<EventOrigin, typeof member> => {
    const all = origins.flatMap((origin) => origin?.[member] ?? [])
    return all.length === 0 ? {} : { [member]: [...new Set(all)].join(',') }
  }
  const joint = { ...listOf('principal'), ...listOf('requestId'), ...listOf('address') }
  return Object.keys(joint).length === 0 ? undefined : joint
}
