// A digest: short to read, whole to copy.

import { useEffect, useState } from 'react'
import { short } from '../words/figures'
import { Icon } from './Icon'

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState<'yes' | 'no' | null>(null)
  useEffect(() => {
    if (!done) return
    const later = setTimeout(() => setDone(null), 2000)
    return () => clearTimeout(later)
  }, [done])
  const copy = () =>
    navigator.clipboard?.writeText(text).then(
      () => setDone('yes'),
      () => setDone('no'),
    ) ?? setDone('no')
  return (
    <button type="button" className="copy" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      <Icon name={done === 'yes' ? 'open' : 'copy'} />
      <span role="status" className="copy-word">
        {done === 'yes' ? 'Copied' : done === 'no' ? 'Select it by hand' : ''}
      </span>
    </button>
  )
}

export function DigestText({ digest, what, whole = false }: { digest: string; what: string; whole?: boolean }) {
  return (
    <span className="digest">
      <code title={digest}>{whole ? digest : short(digest)}</code>
      <CopyButton text={digest} what={what} />
    </span>
  )
}
