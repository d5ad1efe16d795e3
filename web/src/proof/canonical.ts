// RFC 8785: one byte sequence per JSON value, so that it can be hashed. ECMAScript prints numbers and strings as the
// standard asks; what is left is the order of keys, by UTF-16 code units, which is how this language compares strings.

export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error('a number that is not finite')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object') throw new Error(`no JSON value: ${typeof value}`)
  const members = value as Record<string, unknown>
  const keys = Object.keys(members).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(members[key])}`).join(',')}}`
}
