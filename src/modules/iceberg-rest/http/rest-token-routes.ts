import type { IncomingMessage } from 'node:http'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import type { Route } from '../../../http/route.ts'
import { asProblem } from '../../../problem/problems.ts'
import type { RestServices } from '../rest-services.ts'
import { defineRestRoute } from './rest-route.ts'
import { OAuthRefusal, TokenAnswer } from './shapes/token-shapes.ts'

const FORM = 'application/x-www-form-urlencoded'
export const TOKENS_PATH = '/v1/oauth/tokens'
const FORM_BYTES_MAX = 16_384
const GRANT = 'client_credentials'
const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

/** Where engines sign in with a key; errors are those of OAuth (RFC 6749, section 5.2). */
export function tokenRoutes(deps: Pick<RestServices, 'tokenFor'>): readonly Route[] {
  return [
    defineRestRoute(
      {
        method: 'post',
        path: TOKENS_PATH,
        operationId: 'icebergGetToken',
        permission: 'public',
        changesNothing: true,
        uploads: [FORM],
        summary: 'Get a token for a key',
        description:
          'Client credentials: `client_id` is the id of a key and `client_secret` the key, or ' +
          'what follows its id; in the form, or as Basic authorization. `scope` is ignored: a ' +
          'token may do what its key may. Tokens of identity providers are exchanged for none.',
        answers: [
          { status: 200, description: 'A token, this once.', shape: TokenAnswer },
          { status: 400, description: 'No such grant, or no keys.', shape: OAuthRefusal },
          { status: 401, description: 'Not a key that is valid.', shape: OAuthRefusal },
        ],
        problems: ['origin-not-allowed'],
      },
      async ({ request, upload, requireOwnSite }) => {
        requireOwnSite()
        const form = upload === undefined ? undefined : await readForm(upload)
        if (form === undefined) {
          return refusal(
            'invalid_request',
            `Send a form (${FORM}) of at most ${FORM_BYTES_MAX} bytes`,
          )
        }
        if (deps.tokenFor === undefined) {
          const detail = 'MORAINE_AUTH=none: nobody signs in here, so give the client no credential'
          return refusal('invalid_request', detail)
        }
        if (form.get('grant_type') !== GRANT) {
          const detail = `grant_type must be ${GRANT}, with the id of a key and the key`
          return refusal('unsupported_grant_type', detail)
        }
        return signIn(deps.tokenFor, request, form)
      },
    ),
  ]
}

async function signIn(
  tokenFor: NonNullable<RestServices['tokenFor']>,
  request: IncomingMessage,
  form: URLSearchParams,
): Promise<Reply> {
  const credential = credentialOf(request, form)
  if (credential === undefined) {
    return refusal('invalid_request', 'Send client_id and client_secret once, or as Basic')
  }
  try {
    const { token, expiresInSeconds } = await tokenFor(request, credential)
    const body = {
      access_token: token,
      token_type: 'bearer',
      expires_in: expiresInSeconds,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    return { ...jsonReply(body, { headers: NO_STORE }), isSecret: true }
  } catch (error) {
    const problem = asProblem(error)
    if (problem === undefined || !problem.code.startsWith('credential-')) throw error
    const isPlain = problem.code === 'credential-over-plain-http'
    return refusal(isPlain ? 'invalid_request' : 'invalid_client', problem.message)
  }
}

function credentialOf({ headers }: IncomingMessage, form: URLSearchParams) {
  const [id, ...moreIds] = form.getAll('client_id')
  const [secret, ...moreSecrets] = form.getAll('client_secret')
  if (moreIds.length + moreSecrets.length > 0) return undefined
  const [, basic] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(headers.authorization ?? '') ?? []
  if (basic === undefined) {
    return id === undefined || secret === undefined ? undefined : { id, secret }
  }
  const text = Buffer.from(basic, 'base64').toString()
  const colon = text.indexOf(':')
  const given = { id: text.slice(0, colon), secret: text.slice(colon + 1) }
  // One way of signing in at a time (RFC 6749, section 2.3); the id may be said again.
  const isTwice = secret !== undefined || (id !== undefined && id !== given.id)
  return colon < 0 || isTwice ? undefined : given
}

/** `undefined` if it is too long. */
async function readForm(upload: AsyncIterable<Uint8Array>): Promise<URLSearchParams | undefined> {
  const blocks: Uint8Array[] = []
  let bytes = 0
  for await (const block of upload) {
    bytes += block.length
    if (bytes > FORM_BYTES_MAX) return undefined
    blocks.push(block)
  }
  return new URLSearchParams(Buffer.concat(blocks).toString())
}

function refusal(
  error: 'invalid_request' | 'invalid_client' | 'unsupported_grant_type',
  description: string,
): Reply {
  const isUnknown = error === 'invalid_client'
  const headers = isUnknown ? { ...NO_STORE, 'WWW-Authenticate': 'Basic' } : NO_STORE
  const body = { error, error_description: description }
  return jsonReply(body, { status: isUnknown ? 401 : 400, headers })
}
