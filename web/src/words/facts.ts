// What an entry of the ledger says, in words, where its type alone does not say it.

import { plural } from './figures'

const REFUSED: Record<string, string> = {
  'GOV-003': 'self-approval',
  'GOV-007': 'not a person',
  'GOV-008': 'no role that counts here',
}

/** "GOV-003: self-approval". */
export function refusedWith(code: string): string {
  const why = REFUSED[code]
  return why ? `${code}: ${why}` : code
}

/** A sentence on an entry, or nothing where its type says enough. */
export function told(type: string, body: unknown): string | undefined {
  const facts = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const text = (name: string) => (typeof facts[name] === 'string' ? facts[name] : '')
  switch (type) {
    case 'ApprovalRefused':
      return `tried to ${text('word') === 'rejected' ? 'decline' : 'approve'} for ${text('environment')}: ${refusedWith(text('code'))}`
    case 'BlobsSwept': {
      const [files, bytes] = [Number(facts['count']), Number(facts['bytes'])]
      return `${plural(files, 'stored file')} of ${plural(bytes, 'byte')} that nothing named`
    }
    default:
      return undefined
  }
}
