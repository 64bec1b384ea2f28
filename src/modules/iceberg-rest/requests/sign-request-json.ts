import type { StoreRequest } from '../../../objects/object-vending.ts'
import { boundedItems } from './common-update-json.ts'
import { requestNode } from './table-request-json.ts'

const HEADERS_MAX = 100
const VALUES_MAX = 20

/** A `RemoteSignRequest` of the REST specification; its `properties` and `body` mean nothing. */
export function readSignRequest(json: unknown): StoreRequest {
  const node = requestNode(json)
  const provider = node.find('provider')
  if (provider !== undefined && provider.string().toLowerCase() !== 's3') {
    throw provider.error('is not s3')
  }
  const headers = node.get('headers')
  const entries = headers.entries()
  if (entries.length > HEADERS_MAX) throw headers.error(`has more than ${HEADERS_MAX} headers`)
  return {
    method: node.get('method').string(),
    uri: node.get('uri').string(),
    region: node.get('region').string(),
    headers: Object.fromEntries(
      entries.map(([name, values]) => [
        name,
        boundedItems(values, VALUES_MAX).map((item) => item.string()),
      ]),
    ),
  }
}
