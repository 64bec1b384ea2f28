import type { StoreRequest } from '../../../objects/object-vending.ts'
import { HEADER_VALUES_MAX, HEADERS_MAX } from './request-bounds.ts'
import { requestNode } from './table-request-json.ts'

/** A `RemoteSignRequest` of the REST specification; its `properties` and `body` mean nothing. */
export function readSignRequest(json: unknown): StoreRequest {
  const node = requestNode(json)
  const provider = node.find('provider')
  if (provider !== undefined && provider.string().toLowerCase() !== 's3') {
    throw provider.error('is not s3')
  }
  const headers = node.get('headers').entries(HEADERS_MAX)
  return {
    method: node.get('method').string(),
    uri: node.get('uri').string(),
    region: node.get('region').string(),
    headers: Object.fromEntries(
      headers.map(([name, values]) => [
        name,
        values.items(HEADER_VALUES_MAX).map((item) => item.string()),
      ]),
    ),
  }
}
