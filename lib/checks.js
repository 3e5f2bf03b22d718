'use strict'

// Checks of single options: each returns the value or throws an error that
// names it and what is allowed.

const { invalidType, outOfRange } = require('./errors')

/** An integer from `min` to `max`. */
function integer (min, max) {
  return (name, value) => {
    const allowed = `an integer from ${min} to ${max}`
    if (typeof value !== 'number') throw invalidType(name, value, allowed)
    if (!Number.isInteger(value) || value < min || value > max) throw outOfRange(name, value, allowed)
    return value
  }
}

/** Any number from `min` to `max`. */
function number (min, max) {
  return (name, value) => {
    const allowed = `a number from ${min} to ${max}`
    if (typeof value !== 'number') throw invalidType(name, value, allowed)
    if (!(value >= min && value <= max)) throw outOfRange(name, value, allowed)
    return value
  }
}

/** A ratio above 0 and up to 1, or false. */
function ratioOrFalse (name, value) {
  const allowed = 'a number above 0 and up to 1, or false'
  if (value === false) return false
  if (typeof value !== 'number') throw invalidType(name, value, allowed)
  if (!(value > 0 && value <= 1)) throw outOfRange(name, value, allowed)
  return value
}

/** true or false. */
function flag (name, value) {
  if (typeof value !== 'boolean') throw invalidType(name, value, 'true or false')
  return value
}

module.exports = { flag, integer, number, ratioOrFalse }
