import { jointOrigin } from '../../src/core/event-origin.ts'

const ana = { principal: 'user:ana', requestId: 'a', address: '127.0.0.1' }
const ben = { principal: 'user:ben', requestId: 'b', address: '127.0.0.1' }

test('the origin of one request is its own', () => {
  expect(jointOrigin([ana])).toBe(ana)
})

test('requests that share a change are listed in their order, each once', () => {
  expect(jointOrigin([ben, ana, ben])).toEqual({
    principal: 'user:ben,user:ana',
    requestId: 'b,a',
    address: '127.0.0.1',
  })
})

test('what no request says is absent', () => {
  expect(jointOrigin([undefined, { requestId: 'a' }])).toEqual({ requestId: 'a' })
  expect(jointOrigin([undefined, {}])).toBeUndefined()
  expect(jointOrigin([])).toBeUndefined()
})
