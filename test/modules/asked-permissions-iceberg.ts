import { type Expected, ids } from './asked-permissions.ts'

const NAMESPACE = '/iceberg/v1/namespaces/sky'
const ICEBERG_TABLE = `${NAMESPACE}/tables/planets`
const ICEBERG_VIEW = `${NAMESPACE}/views/bright`
const SCHEMA = {
  type: 'struct',
  fields: [{ id: 1, name: 'id', type: 'long', required: false }],
}
const SET_OWNER = { action: 'set-properties', updates: { owner: 'observatory' } }
const CREATION = [{ type: 'assert-create' }]

/** As `EXPECTED`, of the Iceberg REST API. */
export const ICEBERG_EXPECTED: Readonly<Record<string, Expected>> = {
  icebergConfig: { path: '/iceberg/v1/config', asks: [] },
  // Nobody is signed in there yet, and without keys nobody can be.
  icebergGetToken: { path: '/iceberg/v1/oauth/tokens', json: {}, asks: [], refusedWith: 400 },
  icebergListNamespaces: {
    path: '/iceberg/v1/namespaces?parent=sky',
    asks: ['describe namespace [sky]'],
  },
  icebergCreateNamespace: {
    path: '/iceberg/v1/namespaces',
    json: { namespace: ['sky', 'near'] },
    asks: ['create namespace [sky]'],
  },
  icebergGetNamespace: { path: NAMESPACE, asks: ['describe namespace [sky]'] },
  icebergHasNamespace: { path: NAMESPACE, asks: ['describe namespace [sky]'] },
  icebergDropNamespace: {
    path: '/iceberg/v1/namespaces/sky%1Febb',
    asks: ['own namespace [sky.ebb]'],
  },
  icebergUpdateNamespace: {
    path: `${NAMESPACE}/properties`,
    json: { updates: { owner: 'observatory' } },
    asks: ['modify namespace [sky]'],
  },
  icebergListFunctions: { path: `${NAMESPACE}/functions`, asks: ['describe namespace [sky]'] },

  icebergListTables: { path: `${NAMESPACE}/tables`, asks: ['describe namespace [sky]'] },
  icebergCreateTable: {
    path: `${NAMESPACE}/tables`,
    json: { name: 'stars', schema: SCHEMA },
    asks: ['create namespace [sky]'],
  },
  icebergRegisterTable: {
    path: `${NAMESPACE}/register`,
    json: {
      ...{ name: 'comets', overwrite: true },
      'metadata-location': 'file:///nowhere.metadata.json',
    },
    asks: ['create namespace [sky]', 'own table sky.comets'],
  },
  icebergLoadTable: { path: ICEBERG_TABLE, asks: ['select table sky.planets'] },
  icebergHasTable: { path: ICEBERG_TABLE, asks: ['describe table sky.planets'] },
  icebergLoadCredentials: {
    path: `${ICEBERG_TABLE}/credentials`,
    asks: () => ['select table sky.planets', `modify table ${ids.tableUuid}`, 'modify catalog'],
  },
  icebergSignRequest: {
    path: `${ICEBERG_TABLE}/sign`,
    json: { method: 'PUT', region: 'us-east-1', uri: 'http://127.0.0.1/a/b', headers: {} },
    asks: ['modify table sky.planets'],
  },
  icebergReportMetrics: {
    path: `${ICEBERG_TABLE}/metrics`,
    json: { 'report-type': 'scan-report' },
    asks: ['select table sky.planets'],
  },
  icebergCommitTable: {
    path: ICEBERG_TABLE,
    json: { requirements: [], updates: [SET_OWNER] },
    asks: ['modify table sky.planets'],
  },
  icebergCommitTransaction: {
    path: '/iceberg/v1/transactions/commit',
    json: {
      'table-changes': [
        { identifier: identifierOf('planets'), requirements: [], updates: [SET_OWNER] },
        {
          identifier: identifierOf('unborn'),
          requirements: CREATION,
          updates: [SET_OWNER],
        },
      ],
    },
    asks: ['modify table sky.planets', 'create namespace [sky]'],
  },
  icebergRenameTable: {
    path: '/iceberg/v1/tables/rename',
    json: { source: identifierOf('nothing'), destination: identifierOf('something', 'far') },
    asks: ['own table sky.nothing', 'create namespace [far]'],
  },
  icebergUnregisterTable: {
    path: `${NAMESPACE}/tables/nothing/unregister`,
    asks: ['own table sky.nothing'],
  },
  icebergDropTable: { path: `${NAMESPACE}/tables/doomed`, asks: ['own table sky.doomed'] },

  icebergPlanScan: {
    path: `${ICEBERG_TABLE}/plan`,
    json: {},
    asks: ['select table sky.planets'],
  },
  icebergFetchPlan: { path: `${ICEBERG_TABLE}/plan/none`, asks: ['select table sky.planets'] },
  icebergCancelPlan: { path: `${ICEBERG_TABLE}/plan/none`, asks: ['select table sky.planets'] },
  icebergFetchTasks: {
    path: `${ICEBERG_TABLE}/tasks`,
    json: { 'plan-task': 'none' },
    asks: ['select table sky.planets'],
  },

  icebergListViews: { path: `${NAMESPACE}/views`, asks: ['describe namespace [sky]'] },
  icebergCreateView: { path: `${NAMESPACE}/views`, json: {}, asks: ['create namespace [sky]'] },
  icebergRegisterView: {
    path: `${NAMESPACE}/register-view`,
    json: { name: 'dark', 'metadata-location': 'file:///nowhere.metadata.json' },
    asks: ['create namespace [sky]'],
  },
  icebergLoadView: { path: ICEBERG_VIEW, asks: ['select view sky.bright'] },
  icebergHasView: { path: ICEBERG_VIEW, asks: ['describe view sky.bright'] },
  icebergReplaceView: {
    path: ICEBERG_VIEW,
    json: { updates: [{ action: 'set-properties', updates: { owner: 'observatory' } }] },
    asks: ['modify view sky.bright'],
  },
  icebergRenameView: {
    path: '/iceberg/v1/views/rename',
    json: { source: identifierOf('nothing'), destination: identifierOf('something', 'far') },
    asks: ['own view sky.nothing', 'create namespace [far]'],
  },
  icebergDropView: { path: `${NAMESPACE}/views/fading`, asks: ['own view sky.fading'] },
}

function identifierOf(name: string, namespace = 'sky') {
  return { namespace: [namespace], name }
}
