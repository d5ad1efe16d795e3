// The server's no: what, why, and what would change it. Never "an error occurred".

import type { Refusal } from '../api/types'
import { Icon } from './Icon'

export function RefusalNote({ refusal, again }: { refusal: Pick<Refusal, 'code' | 'detail' | 'unblock'> | undefined; again?: () => void }) {
  if (!refusal) return null
  return (
    <div className="refusal" role="alert">
      <Icon name="shut" />
      <div>
        <p>
          {refusal.detail} <code className="code">{refusal.code}</code>
        </p>
        {refusal.unblock && <p className="unblock">{refusal.unblock}</p>}
        {again && (
          <button type="button" onClick={again}>
            Try again
          </button>
        )}
      </div>
    </div>
  )
}
