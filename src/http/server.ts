import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Express } from 'express'

/**
 * A server whose requests and responses are born with the prototypes that Express would give them. Changing the
 * prototype of a living object makes V8 forget its shape: that cost four times what Node and Express do for a
 * small request. Express still sets them; setting what is there already is free.
 */
export function createHttpServer(app: Express): Server {
  class AppRequest extends IncomingMessage {}
  class AppResponse extends ServerResponse {}
  Object.setPrototypeOf(AppRequest.prototype, app.request)
  Object.setPrototypeOf(AppResponse.prototype, app.response)
  app.request = AppRequest.prototype as Express['request']
  app.response = AppResponse.prototype as Express['response']
  return createServer({ IncomingMessage: AppRequest, ServerResponse: AppResponse }, app)
}
