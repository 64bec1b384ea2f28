import type { Module } from '../../module.ts'
import type { RestServices } from '../rest-services.ts'
import { icebergDialect } from './iceberg-dialect.ts'

/** The catalog API of the Iceberg REST specification. */
export function icebergRestModule(platform: RestServices): Module {
  return { name: 'iceberg-rest', dialect: icebergDialect(platform) }
}
