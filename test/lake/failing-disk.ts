import type { Catalog } from '../../src/catalog/catalog.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { Converter, type ConverterOptions } from '../../src/lake/convert/converter.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { composeLake } from '../../src/service.ts'
import type { WorkshopDependencies } from './workshop.ts'

export interface FailingDisk {
  isFailing: boolean
}

/** The same services over a disk that refuses to write files with such a name. */
export function withFailingDisk(
  deps: WorkshopDependencies,
  pattern: RegExp,
): { readonly disk: FailingDisk; readonly deps: WorkshopDependencies } {
  const disk = { isFailing: true }
  const putIfAbsent: ObjectStore['putIfAbsent'] = (location, bytes) =>
    disk.isFailing && pattern.test(location)
      ? Promise.reject(new Error(`no space left for ${location}`))
      : deps.objects.putIfAbsent(location, bytes)
  const objects = changed(deps.objects, { putIfAbsent })
  return { disk, deps: { ...deps, ...composeLake({ ...deps, objects }) } }
}

/**
 * The same port with some of its methods replaced, to make failures that the real one has now and
 * then.
 */
export function changed<Port extends object>(port: Port, methods: Partial<Port>): Port {
  return new Proxy(port, {
    get(target, name) {
      const replaced = methods[name as keyof Port]
      if (replaced !== undefined) return replaced
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

type StoreName = {
  [N in keyof Catalog]: Catalog[N] extends () => unknown ? never : N
}[keyof Catalog]

/** The same catalog with some methods of one store replaced. */
export function withStore<N extends StoreName>(
  catalog: Catalog,
  name: N,
  methods: Partial<Catalog[N]>,
): Catalog {
  return { ...catalog, [name]: changed<Catalog[N]>(catalog[name], methods) }
}

/** The same services, with other methods of the engine below the converter. */
export function withEngine<Services extends { readonly converter: Converter }>(
  services: Services,
  methods: Partial<Engine>,
  options: Partial<ConverterOptions> = {},
): Services {
  const whole = services.converter.options
  const engine = changed(whole.engine, methods)
  return { ...services, converter: new Converter({ ...whole, ...options, engine }) }
}
