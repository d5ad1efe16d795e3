// Sign in with a handle and a password. There is no default account: the first link is printed by the server.

import { useState, type FormEvent } from 'react'
import { inside } from '../../addresses'
import { useAction } from '../../api/action'
import { Button } from '../../parts/Button'
import { Field } from '../../parts/Field'
import { Heading } from '../../parts/Page'
import { RefusalNote } from '../../parts/Refusal'
import { useAddress } from '../../router'

export function SignIn() {
  const address = useAddress()
  const [handle, setHandle] = useState(address.searchParams.get('handle') ?? '')
  const [password, setPassword] = useState('')
  const signIn = useAction(() => location.assign(inside(address.searchParams.get('next'))))
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void signIn.run('/v1/session', { body: { handle, password } })
  }
  return (
    <form className="card" onSubmit={submit}>
      <Heading title="Sign in" />
      <RefusalNote refusal={signIn.refusal} />
      <Field label="Handle" name="handle" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={handle} onChange={(event) => setHandle(event.target.value)} />
      <Field label="Password" name="password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
      <Button kind="primary" type="submit" busy={signIn.busy}>
        Sign in
      </Button>
      <p className="dim">No password yet? Ask an administrator for a one-time link. The very first link is printed where the server was started.</p>
    </form>
  )
}
