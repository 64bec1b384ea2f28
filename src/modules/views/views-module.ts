import type { Stores } from '../../catalog/catalog.ts'
import type { Module } from '../module.ts'
import type { ViewDependencies } from './change-view.ts'
import { viewRoutes } from './view-routes.ts'

export function viewsModule(platform: ViewDependencies & Stores<'namespaces'>): Module {
  return { name: 'views', routes: viewRoutes(platform) }
}
