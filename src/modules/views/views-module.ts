import type { Dependencies } from '../../lake/lake.ts'
import type { Module } from '../module.ts'
import { viewRoutes } from './view-routes.ts'

export function viewsModule(platform: Dependencies): Module {
  return { name: 'views', routes: viewRoutes(platform) }
}
