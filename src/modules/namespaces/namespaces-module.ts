import type { Stores } from '../../catalog/catalog.ts'
import type { Module } from '../module.ts'
import { namespaceRoutes } from './namespace-resource.ts'

export function namespacesModule(platform: Stores<'namespaces'>): Module {
  return { name: 'namespaces', routes: namespaceRoutes(platform) }
}
