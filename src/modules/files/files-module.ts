import type { LakeServices } from '../../lake/lake.ts'
import type { Module } from '../module.ts'
import { fileRoutes } from './file-routes.ts'
import { transactionRoutes } from './transaction-routes.ts'
import type { UploadDependencies } from './upload.ts'

/** Adding and removing data files, by themselves or in transactions. */
export function filesModule(platform: LakeServices & UploadDependencies): Module {
  return { name: 'files', routes: [...fileRoutes(platform), ...transactionRoutes(platform)] }
}
