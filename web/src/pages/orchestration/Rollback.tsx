// The one large button. The name is typed so that no hand slips; a rollback asks no gate and is never blocked by one.

import { useState } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import type { Run } from '../../api/types'
import { Button } from '../../parts/Button'
import { Dialog } from '../../parts/Dialog'
import { Field, TextField } from '../../parts/Field'
import { RefusalNote } from '../../parts/Refusal'

export function Rollback({ run, again }: { run: Run; again: () => void }) {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button kind="danger" refusal={run.refusals?.rollback} onClick={() => setAsking(true)}>
        Roll back…
      </Button>
      {asking && <Ask run={run} onClose={() => setAsking(false)} again={again} />}
    </>
  )
}

function Ask({ run, onClose, again }: { run: Run; onClose: () => void; again: () => void }) {
  const [typed, setTyped] = useState('')
  const [reason, setReason] = useState('')
  const rolling = useAction(() => {
    again()
    onClose()
  })
  const matches = typed.trim() === run.service
  return (
    <Dialog title={`Roll back ${run.service} in ${run.environment ?? ''}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (matches) void rolling.run(at`/v1/runs/${run.id}/rollback`, { body: { reason } })
        }}
      >
        <p>
          All traffic goes back {run.previous_version ? `to ${run.previous_version}` : 'to what ran before'} first; then the instances of {run.version} are drained and stopped.
        </p>
        <RefusalNote refusal={rolling.refusal} />
        <TextField label="Reason" required value={reason} onChange={(event) => setReason(event.target.value)} />
        <Field label={`Type ${run.service} to confirm`} autoComplete="off" autoCapitalize="none" spellCheck={false} required value={typed} onChange={(event) => setTyped(event.target.value)} />
        <Button kind="danger" type="submit" busy={rolling.busy} refusal={matches ? undefined : { code: '', detail: `The name typed above has to be ${run.service}.` }}>
          Roll back now
        </Button>
      </form>
    </Dialog>
  )
}
