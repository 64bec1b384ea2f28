import type { AbortDependencies } from '../../lake/commit/transactions.ts'
import type { Module } from '../module.ts'
import { type FileDependencies, fileRoutes } from './file-routes.ts'
import { transactionRoutes } from './transaction-routes.ts'
import type { UploadDependencies } from './upload.ts'

/** Adding and removing data files, at once or in transactions. */
export function filesModule(
  platform: FileDependencies & UploadDependencies & AbortDependencies,
): Module {
  return { name: 'files', routes: [...fileRoutes(platform), ...transactionRoutes(platform)] }
}
