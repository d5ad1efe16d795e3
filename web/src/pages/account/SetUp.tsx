// The one-time link: shows whose account it is for and takes a password. The token is in the fragment, so that it
// reaches no server log, and leaves the address as soon as it was read.

import { useEffect, useState, type FormEvent } from 'react'
import { useAction } from '../../api/action'
import { asRefusal, change } from '../../api/client'
import type { Refusal, SetupAccount } from '../../api/types'
import { Button } from '../../parts/Button'
import { Field } from '../../parts/Field'
import { Heading, Skeleton } from '../../parts/Page'
import { RefusalNote } from '../../parts/Refusal'
import { When } from '../../parts/When'
import { Link } from '../../router'

let token = ''

function takeToken(): string {
  if (location.hash.length > 1) {
    token = location.hash.slice(1)
    history.replaceState(null, '', location.pathname)
  }
  return token
}

export function SetUp() {
  const [mine] = useState(takeToken)
  const [account, setAccount] = useState<SetupAccount>()
  const [refusal, setRefusal] = useState<Refusal>()
  useEffect(() => {
    if (!mine) return
    change<SetupAccount>('/v1/setup', { body: { token: mine } }).then(setAccount, (fault: unknown) => setRefusal(asRefusal(fault)))
  }, [mine])
  return (
    <div className="card">
      <Heading title="Set up your account" />
      {!mine && (
        <p>
          The one-time link is not complete: the part after <code>#</code> is missing. Open it again as it was given to you, or <Link to="/signin">sign in</Link>.
        </p>
      )}
      <RefusalNote refusal={refusal} />
      {refusal && (
        <p>
          A link works once and for a short time. An administrator can make another one. If you already have a password, <Link to="/signin">sign in</Link>.
        </p>
      )}
      {mine && !account && !refusal && <Skeleton rows={3} />}
      {account && <PasswordForm token={mine} account={account} />}
    </div>
  )
}

function PasswordForm({ token: mine, account }: { token: string; account: SetupAccount }) {
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const setUp = useAction(() => location.assign('/'))
  const differs = again !== '' && again !== password
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (password === again) void setUp.run('/v1/setup', { body: { token: mine, password } })
  }
  return (
    <form onSubmit={submit}>
      <p>
        This link is for <strong>{account.name}</strong> (<code>{account.handle}</code>)
        {account.roles && account.roles.length > 0 && <>, {account.roles.join(', ')}</>}.
        {account.expires && (
          <>
            {' '}
            It works once, until <When at={account.expires} />.
          </>
        )}
      </p>
      <RefusalNote refusal={setUp.refusal} />
      <input type="hidden" name="username" autoComplete="username" value={account.handle} />
      <Field label="Password" name="password" type="password" autoComplete="new-password" required hint={account.password_rule} value={password} onChange={(event) => setPassword(event.target.value)} />
      <Field label="Password again" name="again" type="password" autoComplete="new-password" required aria-invalid={differs} hint={differs ? 'The two are not the same yet.' : undefined} value={again} onChange={(event) => setAgain(event.target.value)} />
      <Button kind="primary" type="submit" busy={setUp.busy} refusal={differs ? { code: '', detail: 'Both passwords have to be the same.' } : undefined}>
        Set the password and go on
      </Button>
    </form>
  )
}
