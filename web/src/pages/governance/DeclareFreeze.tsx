// The form that declares a freeze. Times are read in the viewer's zone, which is named.

import { useState, type FormEvent } from 'react'
import { useAction } from '../../api/action'
import { useResource } from '../../api/resource'
import type { Environment, NewFreeze } from '../../api/types'
import { Button } from '../../parts/Button'
import { Dialog } from '../../parts/Dialog'
import { Field, TextField } from '../../parts/Field'
import { RefusalNote } from '../../parts/Refusal'
import { fromField, toField, viewerZone } from '../../words/time'

const names = (text: string) => text.split(/[\s,]+/).filter(Boolean)

export function DeclareFreeze({ onClose, done }: { onClose: () => void; done: () => void }) {
  const environments = useResource<{ environments: Environment[] }>('/v1/environments')
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<string[]>([])
  const [services, setServices] = useState('')
  const [from, setFrom] = useState(() => toField(Date.now()))
  const [until, setUntil] = useState(() => toField(Date.now() + 86_400_000))
  const [reason, setReason] = useState('')
  const declaring = useAction(() => {
    done()
    onClose()
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const body: NewFreeze = { name, environments: chosen, services: names(services), from: fromField(from), until: fromField(until), reason }
    void declaring.run('/v1/freezes', { body })
  }
  const toggle = (one: string, on: boolean) => setChosen((old) => (on ? [...old, one] : old.filter((other) => other !== one)))
  return (
    <Dialog title="Declare a freeze" onClose={onClose}>
      <form onSubmit={submit}>
        <RefusalNote refusal={declaring.refusal} />
        <Field label="Name" required value={name} onChange={(event) => setName(event.target.value)} />
        <fieldset>
          <legend>Environments (none chosen: all)</legend>
          {environments.data?.environments.map((environment) => (
            <label key={environment.name} className="check">
              <input type="checkbox" checked={chosen.includes(environment.name)} onChange={(event) => toggle(environment.name, event.target.checked)} />
              {environment.name}
            </label>
          ))}
        </fieldset>
        <Field label="Services" hint="Names with spaces or commas between; empty: all." value={services} onChange={(event) => setServices(event.target.value)} />
        <div className="pair">
          <Field label="From" type="datetime-local" required hint={viewerZone()} value={from} onChange={(event) => setFrom(event.target.value)} />
          <Field label="Until" type="datetime-local" required hint={viewerZone()} value={until} onChange={(event) => setUntil(event.target.value)} />
        </div>
        <TextField label="Reason" required value={reason} onChange={(event) => setReason(event.target.value)} />
        <Button kind="primary" type="submit" busy={declaring.busy}>
          Declare the freeze
        </Button>
      </form>
    </Dialog>
  )
}
