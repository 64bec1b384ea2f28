import type { Catalog } from '../../src/catalog/catalog.ts'

export function describeSettings(catalog: () => Catalog): void {
  test('a setting keeps its first value, whoever writes it', async () => {
    const { settings } = catalog()
    expect(await settings.find('color')).toBeUndefined()
    const kept = await Promise.all(['red', 'blue'].map((value) => settings.keep('color', value)))
    expect(new Set(kept).size).toBe(1)
    expect(await settings.keep('color', 'green')).toBe(kept[0])
    expect(await settings.find('color')).toBe(kept[0])
    expect(await settings.find('size')).toBeUndefined()
  })
}
