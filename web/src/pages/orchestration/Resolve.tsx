// A step of which nobody knows whether it happened. Only a person who looked can say; it is never simply tried again.

import { useState } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import type { Run, Step } from '../../api/types'
import { Button } from '../../parts/Button'
import { TextField } from '../../parts/Field'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'

const OUTCOMES = [
  ['done', 'It was done'],
  ['failed', 'It was tried and failed'],
  ['not-started', 'It was never started'],
] as const

export function Resolve({ run, step, again }: { run: Run; step: Step; again: () => void }) {
  const [outcome, setOutcome] = useState('')
  const [reason, setReason] = useState('')
  const resolving = useAction(again)
  return (
    <form
      className="cause bad resolve"
      aria-labelledby={`resolve-${step.id}`}
      onSubmit={(event) => {
        event.preventDefault()
        void resolving.run(at`/v1/runs/${run.id}/resolve`, { body: { step: step.id, outcome, reason } })
      }}
    >
      <h2 id={`resolve-${step.id}`}>
        <Status state="indeterminate" word={`Nobody knows whether "${step.title}" happened`} />
      </h2>
      <p>{step.outcome ?? step.waiting_for ?? 'The worker was lost before it said what became of the step.'}</p>
      <p>Look at the place itself, then say what you found.</p>
      <fieldset>
        <legend>What did you find?</legend>
        {OUTCOMES.map(([value, words]) => (
          <label key={value} className="check">
            <input type="radio" name={`outcome-${step.id}`} value={value} required checked={outcome === value} onChange={() => setOutcome(value)} />
            {words}
          </label>
        ))}
      </fieldset>
      <TextField label="How do you know" required value={reason} onChange={(event) => setReason(event.target.value)} />
      <RefusalNote refusal={resolving.refusal} />
      <Button type="submit" kind="primary" busy={resolving.busy} refusal={run.refusals?.resolve}>
        Record it and go on
      </Button>
    </form>
  )
}
