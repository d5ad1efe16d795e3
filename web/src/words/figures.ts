// Numbers and names of things as words.

const whole = new Intl.NumberFormat('en-GB')

export function count(n: number): string {
  return whole.format(n)
}

/** "23 of 41,880". */
export function share(k: number, n: number): string {
  return `${count(k)} of ${count(n)}`
}

export function percent(k: number, n: number): string {
  return n === 0 ? '-' : `${((100 * k) / n).toFixed(k * 100 >= n * 10 ? 1 : 2)} %`
}

/** Evidence as odds: "1 : 214". */
export function odds(evidence: number): string {
  if (!Number.isFinite(evidence)) return '1 : beyond counting'
  return `1 : ${evidence >= 1000 ? evidence.toExponential(1).replace('e+', 'e') : evidence >= 10 ? Math.round(evidence) : evidence.toFixed(1)}`
}

/** The start of a digest, long enough to compare by eye: "sha256:5d2a3f…". */
export function short(digest: string): string {
  const [kind, hex] = digest.includes(':') ? digest.split(':', 2) : ['', digest]
  return `${kind ? `${kind}:` : ''}${(hex ?? '').slice(0, 12)}…`
}

/** "waiting", "rolled-back" → "Waiting", "Rolled back". */
export function sentence(word: string): string {
  const plain = word.replace(/[-_]/g, ' ')
  return plain.charAt(0).toUpperCase() + plain.slice(1)
}

/** A value of a difference as text. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'not there'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`
}
