import { dayOf } from '../../../core/value/date-time.ts'
import { type CitedData, isOrcid, isSpdx, licenseUrl } from './cited-data.ts'

/** DataCite's word for what nobody has said. */
const UNAVAILABLE = ':unav'

/** What registers a DOI: DataCite's metadata 4.5 as JSON, without the DOI. */
export function dataCiteOf(data: CitedData): object {
  const { title, description, url, creators, keywords, license, publisher, version } = data
  const rightsUri = licenseUrl(license)
  const sizes = data.files.flatMap(({ bytes }) => (bytes === undefined ? [] : [`${bytes} bytes`]))
  return {
    schemaVersion: 'http://datacite.org/schema/kernel-4',
    types: { resourceTypeGeneral: 'Dataset', resourceType: 'Dataset' },
    titles: [{ title }],
    creators: creators.length === 0 ? [{ name: UNAVAILABLE }] : creators.map(creatorOf),
    publisher: { name: publisher },
    publicationYear: dayOf(data.issuedAtMs).slice(0, 4),
    dates: [
      { date: dayOf(data.issuedAtMs), dateType: 'Issued' },
      { date: dayOf(data.snapshotAtMs), dateType: 'Created' },
    ],
    url,
    version,
    subjects: keywords.map((subject) => ({ subject })),
    descriptions:
      description === null ? [] : [{ description, descriptionType: 'Abstract' as const }],
    rightsList: license === null ? [] : [rightsOf(license, rightsUri)],
    formats: data.files.map(({ mediaType }) => mediaType),
    ...(sizes.length > 0 && { sizes }),
  }
}

function creatorOf({ name, id, affiliation }: CitedData['creators'][number]): object {
  return {
    name,
    ...(isOrcid(id) && {
      nameIdentifiers: [
        {
          nameIdentifier: id,
          nameIdentifierScheme: 'ORCID',
          schemeUri: 'https://orcid.org',
        },
      ],
    }),
    ...(affiliation !== undefined && { affiliation: [{ name: affiliation }] }),
  }
}

function rightsOf(license: string, rightsUri: string | undefined): object {
  return {
    rights: license,
    ...(rightsUri !== undefined && { rightsUri }),
    ...(isSpdx(license) && {
      rightsIdentifier: license,
      rightsIdentifierScheme: 'SPDX',
      schemeUri: 'https://spdx.org/licenses/',
    }),
  }
}
