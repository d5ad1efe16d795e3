// What an address means, apart from any browser.

/** A path inside this page, or the board: no address from outside leads away. */
export function inside(path: string | null): string {
  if (!path?.startsWith('/') || path.startsWith('//') || path.includes('\\')) return '/'
  return new URL(path, 'https://inside.invalid').host === 'inside.invalid' ? path : '/'
}

/** The values of a pattern such as `/releases/:id/:tab?`, or null. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/').slice(1)
  const given = path.replace(/\/+$/, '').split('/').slice(1)
  if (given.length > wanted.length) return null
  const found: Record<string, string> = {}
  for (const [i, part] of wanted.entries()) {
    const value = given[i]
    const name = /^:(\w+)(\?)?$/.exec(part)
    if (!name) {
      if (part !== (value ?? '')) return null
    } else if (value) {
      try {
        found[name[1]!] = decodeURIComponent(value)
      } catch {
        return null
      }
    } else if (!name[2]) return null
  }
  return found
}
