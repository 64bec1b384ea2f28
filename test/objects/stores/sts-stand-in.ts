import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Asked } from './gcs-request.ts'

const LIFE_SECONDS = 3_600
/** The one form of condition that the product writes; any other allows nothing. */
const TEXT = String.raw`("(?:[^"\\]|\\.)*")`
const CONDITION = new RegExp(
  String.raw`^resource\.name\.startsWith\(${TEXT}\) \|\| api\.getAttribute` +
    String.raw`\("storage\.googleapis\.com/objectListPrefix", ""\)\.startsWith\(${TEXT}\)$`,
)
const ROLES: Readonly<Record<string, readonly string[]>> = {
  'inRole:roles/storage.objectViewer': ['get', 'list'],
  'inRole:roles/storage.objectUser': ['get', 'list', 'create', 'delete'],
}

interface Rule {
  readonly availableResource: string
  readonly availablePermissions: readonly string[]
  readonly availabilityCondition?: { readonly expression: string }
}

/**
 * A stand-in for Google's Security Token Service, which cannot be had: it exchanges the text of a
 * file for a token of a user, and that for a bounded one, whose rules it reads as Google's
 * documentation has them.
 */
export interface StsStandIn {
  readonly endpoint: string
  /** A file of credentials, of a user whose own token is that of the file `subjectFile`. */
  credentialsFor(subjectFile: string): object
  /** Whether it is the user's own token. */
  isOwn(token: string): boolean
  /** Whether what was issued allows it; throws for a token that was not. */
  allows(token: string, asked: Asked): boolean
  /** The next exchanges are answered with that status; undefined ends it. */
  refuseWith(status: number | undefined): void
  /** Bounded tokens so far. */
  issued(): number
  stop(): Promise<void>
}

export async function startStsStandIn(): Promise<StsStandIn> {
  const own = new Set<string>()
  const bounded = new Map<string, readonly Rule[]>()
  let refusal: number | undefined
  const exchange = (form: URLSearchParams): { status: number; token?: string } => {
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:token-exchange') {
      return { status: 400 }
    }
    const options = form.get('options')
    const subject = form.get('subject_token') ?? ''
    if (form.get('audience') !== null) {
      const token = `own-${own.size + 1}`
      own.add(token)
      return { status: 200, token }
    }
    if (refusal !== undefined) return { status: refusal }
    if (!own.has(subject) || options === null) return { status: 400 }
    const token = `bounded-${bounded.size + 1}`
    bounded.set(token, JSON.parse(options).accessBoundary.accessBoundaryRules)
    return { status: 200, token }
  }
  const server = createServer(async (request, response) => {
    const { status, token } = exchange(new URLSearchParams(await text(request)))
    response.writeHead(status, { 'content-type': 'application/json' })
    const granted = { access_token: token, token_type: 'Bearer', expires_in: LIFE_SECONDS }
    response.end(JSON.stringify(token === undefined ? { error: 'invalid_request' } : granted))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    endpoint,
    credentialsFor: (subjectFile) => ({
      type: 'external_account',
      audience:
        '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${endpoint}/v1/token`,
      credential_source: { file: subjectFile },
    }),
    isOwn: (token) => own.has(token),
    allows: (token, asked) => {
      const rules = bounded.get(token)
      if (rules === undefined) throw new Error(`the token ${token} was never issued`)
      return rules.some((rule) => isAllowed(rule, asked))
    },
    refuseWith: (status) => {
      refusal = status
    },
    issued: () => bounded.size,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

function isAllowed(rule: Rule, { action, bucket, key }: Asked): boolean {
  if (rule.availableResource !== `//storage.googleapis.com/projects/_/buckets/${bucket}`) {
    return false
  }
  if (!rule.availablePermissions.some((role) => ROLES[role]?.includes(action))) return false
  const expression = rule.availabilityCondition?.expression
  if (expression === undefined) return true
  const [, named, listed] = CONDITION.exec(expression) ?? []
  if (named === undefined || listed === undefined) return false
  if (action === 'list') return key.startsWith(JSON.parse(listed))
  return `projects/_/buckets/${bucket}/objects/${key}`.startsWith(JSON.parse(named))
}
