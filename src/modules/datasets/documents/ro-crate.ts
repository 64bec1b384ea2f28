import { dayOf } from '../../../core/value/date-time.ts'
import { textCitation } from './citation.ts'
import { type CitedData, licenseUrl } from './cited-data.ts'

const VERSION = 'https://w3id.org/ro/crate/1.1'
/** Terms of schema.org that came after the context of 1.1. */
const LATER_TERMS = {
  creditText: 'http://schema.org/creditText',
  sha256: 'http://schema.org/sha256',
}
const FILE = 'ro-crate-metadata.json'

/** A Research Object Crate 1.1 whose files are on the web. */
export function roCrateOf(data: CitedData): object {
  const { title, description, url, creators, keywords, license, publisher, version } = data
  const people = creators.map(({ name, id, affiliation }, i) => ({
    '@id': id ?? `#creator-${i + 1}`,
    '@type': 'Person',
    name,
    ...(affiliation !== undefined && { affiliation }),
  }))
  const licenseId = licenseUrl(license)
  const files = data.files.map(({ url: id, fileName, mediaType, bytes, sha256 }) => ({
    ...{ '@id': id, '@type': 'File', name: fileName, encodingFormat: mediaType },
    ...(bytes !== undefined && { contentSize: String(bytes) }),
    ...(sha256 !== undefined && { sha256 }),
  }))
  return {
    '@context': [`${VERSION}/context`, LATER_TERMS],
    '@graph': [
      {
        '@id': FILE,
        '@type': 'CreativeWork',
        about: { '@id': './' },
        conformsTo: { '@id': VERSION },
      },
      {
        '@id': './',
        '@type': 'Dataset',
        identifier: url,
        url,
        name: title,
        description: description ?? title,
        datePublished: dayOf(data.issuedAtMs),
        version,
        license: licenseId === undefined ? (license ?? 'unknown') : { '@id': licenseId },
        keywords: keywords.join(', '),
        author: people.map((person) => ({ '@id': person['@id'] })),
        publisher: { '@id': '#publisher' },
        creditText: textCitation(data),
        hasPart: files.map((file) => ({ '@id': file['@id'] })),
      },
      { '@id': '#publisher', '@type': 'Organization', name: publisher },
      ...(licenseId === undefined
        ? []
        : [{ '@id': licenseId, '@type': 'CreativeWork', name: license }]),
      ...people,
      ...files,
    ],
  }
}
