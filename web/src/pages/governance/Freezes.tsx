// M5.2 Freezes: what holds, what is planned, and declaring or lifting one.

import { useState } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import { useMe } from '../../api/session'
import type { Freeze } from '../../api/types'
import { Button } from '../../parts/Button'
import { Dialog } from '../../parts/Dialog'
import { TextField } from '../../parts/Field'
import { Heading, Loaded } from '../../parts/Page'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { DeclareFreeze } from './DeclareFreeze'

const concerns = (stream: string) => stream.startsWith('freeze/')

export function Freezes() {
  const me = useMe()
  const freezes = useResource<{ freezes: Freeze[] }>('/v1/freezes', concerns)
  const [declaring, setDeclaring] = useState(false)
  const [lifting, setLifting] = useState<Freeze>()
  return (
    <div className="page">
      <div className="head">
        <Heading title="Freezes" />
        <Button kind="primary" refusal={me.refusals?.declare_freeze} onClick={() => setDeclaring(true)}>
          Declare a freeze
        </Button>
      </div>
      <p className="dim">A freeze holds every forward step in its scope at the next safe point. A rollback is never blocked by one.</p>
      <Loaded of={freezes}>
        {(data) => (
          <Table
            caption="Freezes"
            rows={data.freezes}
            keyOf={(freeze) => freeze.id}
            empty={<p>No freeze is declared. Deployments follow their windows and gates.</p>}
            columns={[
              { head: 'Freeze', kind: 'row', cell: (freeze) => freeze.name },
              { head: 'State', cell: (freeze) => <Status state={freeze.state} /> },
              { head: 'Environments', cell: (freeze) => freeze.environments.join(', ') || 'all' },
              { head: 'Services', cell: (freeze) => freeze.services.join(', ') || 'all' },
              { head: 'From', cell: (freeze) => <When at={freeze.from} /> },
              { head: 'Until', cell: (freeze) => <When at={freeze.until} /> },
              { head: 'Reason', kind: 'wide', cell: (freeze) => freeze.reason ?? '' },
              {
                head: 'Lift',
                cell: (freeze) =>
                  freeze.state === 'holds' || freeze.state === 'planned' ? (
                    <Button refusal={freeze.refusals?.lift} onClick={() => setLifting(freeze)}>
                      Lift<span className="unseen"> {freeze.name}</span>
                    </Button>
                  ) : null,
              },
            ]}
          />
        )}
      </Loaded>
      {declaring && <DeclareFreeze onClose={() => setDeclaring(false)} done={freezes.again} />}
      {lifting && <LiftFreeze freeze={lifting} onClose={() => setLifting(undefined)} done={freezes.again} />}
    </div>
  )
}

function LiftFreeze({ freeze, onClose, done }: { freeze: Freeze; onClose: () => void; done: () => void }) {
  const [reason, setReason] = useState('')
  const lifting = useAction(() => {
    done()
    onClose()
  })
  return (
    <Dialog title={`Lift "${freeze.name}"`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void lifting.run(at`/v1/freezes/${freeze.id}`, { method: 'DELETE', body: { reason } })
        }}
      >
        <p>What it holds back may start at once, where its other gates are open.</p>
        <RefusalNote refusal={lifting.refusal} />
        <TextField label="Reason" required value={reason} onChange={(event) => setReason(event.target.value)} />
        <Button kind="primary" type="submit" busy={lifting.busy}>
          Lift the freeze
        </Button>
      </form>
    </Dialog>
  )
}
