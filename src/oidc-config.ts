import { z } from 'zod'
import { List, type Read } from './config-values.ts'
import { isPrivateAddress } from './core/access/private-address.ts'
import { Nothing } from './store-config.ts'

/** Whose tokens sign callers in. */
export interface OidcConfig {
  /** Addresses of identity providers, without a slash at the end. */
  readonly issuers: readonly string[]
  /** What tokens must be for: one of these. */
  readonly audiences: readonly string[]
  /** Claims that name groups and roles. */
  readonly claims: { readonly groups: readonly string[]; readonly roles: readonly string[] }
}

const WELL_KNOWN = /\/\.well-known\/openid-configuration\/?$/
const CkanUrl = z.string().transform((text, context) => {
  const isPrivate = URL.canParse(text) && isPrivateAddress(text)
  if (/^https?:\/\/[^~?#@\s]{1,300}$/.test(text) && isPrivate) return text.replace(/\/+$/, '')
  context.addIssue('no address of CKAN')
  return z.NEVER
})
const CLAIMS = 'claims like groups or realm_access.roles, separated by commas'

const Issuer = z.string().transform((text, context) => {
  const isPrivate = URL.canParse(text) && isPrivateAddress(text)
  if (/^https?:\/\/[^~?#@\s]+$/.test(text) && isPrivate) {
    return text.replace(WELL_KNOWN, '').replace(/\/+$/, '')
  }
  context.addIssue('no issuer')
  return z.NEVER
})

/** `undefined` if nobody signs in by tokens of a provider. */
export function readOidc(read: Read, auth: string): OidcConfig | undefined {
  const least = auth === 'oidc' ? 1 : 0
  const oidc = {
    issuers: read(
      'MORAINE_OIDC_ISSUER',
      '',
      'addresses like https://login.example.org/realms/lake, separated by commas; http only on ' +
        'this machine (MORAINE_AUTH=oidc needs one)',
      List.pipe(z.array(Issuer).min(least)),
    ),
    audiences: read(
      'MORAINE_OIDC_AUDIENCE',
      '',
      'what tokens for this service have as "aud", like moraine (MORAINE_AUTH=oidc needs one)',
      List.pipe(z.array(z.string()).min(least)),
    ),
    claims: {
      groups: read('MORAINE_OIDC_GROUPS', 'groups', CLAIMS, List),
      roles: read('MORAINE_OIDC_ROLES', '', CLAIMS, List),
    },
  }
  return auth === 'oidc' ? oidc : undefined
}

/** `undefined` if CKAN does not decide. */
export function readCkanUrl(read: Read, auth: string): string | undefined {
  const url = read(
    'MORAINE_CKAN_URL',
    '',
    'an address like https://data.example.org; http only on this machine (MORAINE_AUTH=ckan ' +
      'needs it)',
    auth === 'ckan' ? CkanUrl : z.union([Nothing, CkanUrl]),
  )
  return auth === 'ckan' ? url : undefined
}
