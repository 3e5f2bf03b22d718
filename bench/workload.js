'use strict'

// Fixed work that keeps the collector busy, the way a server does: requests
// parsed from JSON, objects made of them, strings and closures that die young,
// and a cache of sessions whose entries live long enough to be promoted and
// then die in the old space. The same in every run.

const SESSIONS = 40_000
const CACHE_FIELDS = 6
const UNITS_PER_TURN = 200

const body = JSON.stringify({
  user: 'alice@example.org',
  items: Array.from({ length: 12 }, (_, i) => ({ sku: `sku-${i}`, price: i * 1.25, tags: ['a', 'b', `t${i}`] })),
  address: { street: 'Main Street 1', city: 'Springfield', zip: '12345' }
})

/** A small generator (xorshift), so that every run replaces the same sessions. */
function random (seed) {
  let x = seed
  return (below) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
}

class Session {
  constructor (id, request) {
    this.id = id
    this.user = request.user
    this.items = request.items.slice(0, CACHE_FIELDS)
    this.seen = new Map(this.items.map((item) => [item.sku, item]))
    this.token = `${id.toString(36)}-${request.address.zip}`
  }
}

/** @returns {(units: number) => Promise<number>} does so many units of work */
function createWorkload () {
  const below = random(0x9e3779b9)
  const sessions = new Map()
  let next = 0

  function unit () {
    const request = JSON.parse(body)
    const total = request.items
      .map((item) => ({ ...item, cost: item.price * (1 + item.tags.length) }))
      .filter((item) => item.cost > 3)
      .reduce((sum, item) => sum + item.cost, 0)
    const id = next++ < SESSIONS ? next : below(SESSIONS)
    sessions.set(id, new Session(id, request))
    const answer = JSON.stringify({ id, total, token: sessions.get(id).token, items: request.items.slice(0, 4) })
    return answer.length
  }

  return async function work (units) {
    let result = 0
    for (let done = 0; done < units;) {
      // The loop turns as that of a server does: what watches may deliver.
      await new Promise(setImmediate)
      for (const end = Math.min(done + UNITS_PER_TURN, units); done < end; done++) result += unit()
    }
    return result
  }
}

module.exports = { createWorkload }
