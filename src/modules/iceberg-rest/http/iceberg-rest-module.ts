import type { Module } from '../../module.ts'
import type { RestServices } from '../rest-services.ts'
import { serveIceberg } from './rest-dispatch.ts'
import { ICEBERG_ROUTES } from './rest-route-table.ts'

/** The catalog as the Iceberg REST specification has it. */
export function icebergRestModule(platform: RestServices): Module {
  return { name: 'iceberg-rest', dialect: serveIceberg(ICEBERG_ROUTES, platform) }
}
