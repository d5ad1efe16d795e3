// Giving up a release before production, with a reason.

import { useState } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import type { Release } from '../../api/types'
import { Button } from '../../parts/Button'
import { Dialog } from '../../parts/Dialog'
import { TextField } from '../../parts/Field'
import { RefusalNote } from '../../parts/Refusal'

export function Withdraw({ release, again }: { release: Release; again: () => void }) {
  const [asking, setAsking] = useState(false)
  const [reason, setReason] = useState('')
  const withdrawing = useAction(() => {
    setAsking(false)
    again()
  })
  return (
    <>
      <Button refusal={release.refusals?.withdraw} onClick={() => setAsking(true)}>
        Withdraw
      </Button>
      {asking && (
        <Dialog title={`Withdraw ${release.service} ${release.version}`} onClose={() => setAsking(false)}>
          <form
            onSubmit={(event) => {
              event.preventDefault()
              void withdrawing.run(at`/v1/releases/${release.id}/withdraw`, { body: { reason } })
            }}
          >
            <p>The release is closed for good. What already runs stays where it is.</p>
            <RefusalNote refusal={withdrawing.refusal} />
            <TextField label="Reason" required value={reason} onChange={(event) => setReason(event.target.value)} />
            <Button kind="primary" type="submit" busy={withdrawing.busy}>
              Withdraw the release
            </Button>
          </form>
        </Dialog>
      )}
    </>
  )
}
