import { stringifyExactJson } from './exact-json.ts'

type Members = Readonly<Record<string, unknown>>

/** The members of an object as JSON, without its braces: `"a":1,"b":2`, or nothing. */
export function membersText(members: Members): string {
  return stringifyExactJson(members).slice(1, -1)
}

/** The JSON text of an object of members that are text already; empty texts are left out. */
export function objectOf(members: readonly string[]): string {
  return `{${members.filter((text) => text !== '').join(',')}}`
}

/** The members as they follow others: `,"a":1`, or nothing. */
export function moreMembers(members: Members): string {
  const text = membersText(members)
  return text === '' ? '' : `,${text}`
}

/** The JSON text of an object that has members, or the end of one, with more members at its end. */
export function withMembers(object: string, members: Members): string {
  return `${object.slice(0, -1)}${moreMembers(members)}}`
}

/**
 * The text around one member of an object whose value is JSON text already, so that the value need
 * not be parsed: around `m`, `{a: 1}` before and `{b: 2}` after give `{"a":1,"m":` and `,"b":2}`.
 */
export function aroundMember(
  key: string,
  { before = {}, after = {} }: { readonly before?: Members; readonly after?: Members } = {},
): { readonly head: string; readonly end: string } {
  const earlier = membersText(before)
  const comma = earlier === '' ? '' : ','
  return { head: `{${earlier}${comma}${JSON.stringify(key)}:`, end: `${moreMembers(after)}}` }
}
