/** Requests that change a dataset, each a new one; what makes them is as `CASES` has it. */
export function datasetCases(newDataset: () => Promise<string>) {
  const post = async (path: string) => ({ path: `${await newDataset()}${path}`, method: 'POST' })
  return {
    describeDatasetVersion: async () => ({
      ...{ path: `${await newDataset()}/1`, method: 'PATCH', json: { title: 'Other' } },
    }),
    publishDataset: () => post('/publish'),
    publishDatasetVersion: () => post('/1/publish'),
    deleteDataset: async () => ({ path: await newDataset(), method: 'DELETE' }),
    deleteDatasetVersion: async () => ({ path: `${await newDataset()}/1`, method: 'DELETE' }),
  }
}
