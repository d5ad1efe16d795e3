// A button that is never mute: where the server refuses, it stays reachable and says why.

import { useId, type ReactNode } from 'react'
import type { Refusal } from '../api/types'

interface Props {
  children: ReactNode
  onClick?: () => void
  refusal?: Pick<Refusal, 'code' | 'detail' | 'unblock'> | undefined
  kind?: 'plain' | 'primary' | 'danger'
  type?: 'button' | 'submit'
  busy?: boolean
  keys?: string
  /** The reason is written beside another button already; it is only spoken here. */
  mute?: boolean
}

export function Button({ children, onClick, refusal, kind = 'plain', type = 'button', busy = false, keys, mute = false }: Props) {
  const reason = useId()
  const blocked = !!refusal || busy
  return (
    <span className="action">
      <button
        type={type}
        className={kind}
        aria-disabled={blocked || undefined}
        aria-describedby={refusal ? reason : undefined}
        aria-keyshortcuts={keys}
        onClick={(event) => {
          if (blocked) event.preventDefault()
          else onClick?.()
        }}
      >
        {children}
        {keys && <kbd aria-hidden="true">{keys}</kbd>}
      </button>
      {refusal && (
        <span id={reason} className={mute ? 'unseen' : 'reason'}>
          {refusal.detail}
          {refusal.unblock && <span className="unblock"> {refusal.unblock}</span>}
        </span>
      )}
    </span>
  )
}
