import type { Module } from '../../module.ts'
import type { RestServices } from '../rest-services.ts'
import { icebergDialect } from './iceberg-dialect.ts'

/** The catalog as the Iceberg REST specification has it. */
export function icebergRestModule(platform: RestServices): Module {
  return { name: 'iceberg-rest', dialect: icebergDialect(platform) }
}
