// Who there is, with roles; and the one-time link by which somebody gets a password.

import { useState } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import { useMe } from '../../api/session'
import type { Invite, Person } from '../../api/types'
import { Button } from '../../parts/Button'
import { Dialog } from '../../parts/Dialog'
import { CopyButton } from '../../parts/DigestText'
import { Heading, Loaded } from '../../parts/Page'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'

const concerns = (stream: string) => stream.startsWith('person/')

export function People() {
  const me = useMe()
  const people = useResource<{ people: Person[] }>('/v1/people', concerns)
  const [invite, setInvite] = useState<{ handle: string } & Invite>()
  const making = useAction<Invite>()
  const make = async (handle: string) => {
    const answer = await making.run(at`/v1/people/${handle}/invite`)
    if (answer) setInvite({ handle, ...answer })
  }
  return (
    <div className="page">
      <Heading title="People" />
      <p className="dim">
        People and their roles are declared in the organisation's files (<code>person:</code>) and applied with <code>holdpoint apply</code>. You are {me.handle}.
      </p>
      {me.refusals?.invite && (
        <p>
          {me.refusals.invite.detail} {me.refusals.invite.unblock}
        </p>
      )}
      <RefusalNote refusal={making.refusal} />
      <Loaded of={people}>
        {(data) => (
          <Table
            caption="People and service accounts"
            rows={data.people}
            keyOf={(person) => person.handle}
            empty={<p>Nobody is declared yet.</p>}
            columns={[
              { head: 'Handle', kind: 'row', cell: (person) => <code>{person.handle}</code> },
              { head: 'Name', cell: (person) => person.name },
              { head: 'Roles', cell: (person) => person.roles.join(', ') || 'none' },
              { head: 'Kind', cell: (person) => (person.service_account ? 'Service account' : 'Person') },
              {
                head: 'Account',
                cell: (person) => <Status state={person.retired ? 'closed' : person.set_up ? 'done' : 'pending'} word={person.retired ? 'Retired' : person.set_up ? 'Set up' : 'No password yet'} />,
              },
              {
                head: 'One-time link',
                cell: (person) => (
                  <Button refusal={person.refusals?.invite ?? me.refusals?.invite} mute={!person.refusals?.invite} busy={making.busy} onClick={() => void make(person.handle)}>
                    Make a link<span className="unseen"> for {person.handle}</span>
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      {invite && (
        <Dialog title={`One-time link for ${invite.handle}`} onClose={() => setInvite(undefined)}>
          <p>Give it to {invite.handle} and to nobody else: whoever opens it first chooses the password. It is shown only now.</p>
          <p className="copy-line">
            <code>{new URL(invite.link, location.origin).href}</code>
            <CopyButton text={new URL(invite.link, location.origin).href} what="the link" />
          </p>
          {invite.expires && (
            <p>
              It works once, until <When at={invite.expires} />.
            </p>
          )}
        </Dialog>
      )}
    </div>
  )
}
