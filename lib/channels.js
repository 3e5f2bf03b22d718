'use strict'

// Diagnostics channels: `heapwatch:sample`, `heapwatch:gc` and so on, for
// whoever wants the events of every watch without having the watches.
//
// A watch runs no JavaScript for what nobody wants, so it cannot ask now and
// then whether somebody has subscribed: it must be told. Both ways to subscribe
// (channel.subscribe, and diagnostics_channel.subscribe, which calls it) end in
// a method of the channel; ours have one of their own, which passes on to
// Node's and then tells. It calls what is the prototype's at that moment:
// Node.js changes the prototype of a channel with its first subscriber.

const diagnostics = require('node:diagnostics_channel')

const NAMES = ['sample', 'gc', 'pressure', 'leak', 'leakend', 'cause']

/** Called after each change of the subscribers. */
const listeners = new Set()

// Kept here: Node.js forgets channels that nobody holds.
const channels = Object.fromEntries(NAMES.map((name) => [name, prepare(`heapwatch:${name}`)]))

function prepare (name) {
  const channel = diagnostics.channel(name)
  for (const method of ['subscribe', 'unsubscribe', 'bindStore', 'unbindStore']) {
    Object.defineProperty(channel, method, {
      configurable: true,
      writable: true,
      value (...args) {
        const result = Reflect.apply(Object.getPrototypeOf(this)[method], this, args)
        for (const tell of listeners) tell()
        return result
      }
    })
  }
  return channel
}

/** Whether somebody has subscribed to events of that name. */
function hasSubscribers (name) {
  return channels[name]?.hasSubscribers ?? false
}

/**
 * Publishes `{ [name]: event, watch }`, if anybody has subscribed. Never
 * throws: what subscribers throw is an uncaught exception of its own.
 */
function publish (name, event, watch) {
  const channel = channels[name]
  if (channel?.hasSubscribers) channel.publish({ [name]: event, watch })
}

module.exports = { hasSubscribers, listeners, publish }
