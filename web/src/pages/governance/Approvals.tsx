// Who said what about this release, and whether it still counts; approving and declining.

import { useState } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import { useMe } from '../../api/session'
import type { Approval, Release, ReleaseEnvironment } from '../../api/types'
import { useShortcuts } from '../../keys'
import { Button } from '../../parts/Button'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { plural } from '../../words/figures'
import { refusedWith } from '../../words/facts'
import { DecideDialog, type Word } from './DecideDialog'

interface Props {
  release: Release
  environment: ReleaseEnvironment | undefined
  again: () => void
}

function stateOf(approval: Approval): string {
  return approval.state === 'given' ? (approval.valid ? 'given' : 'void') : approval.state
}

export function Approvals({ release, environment, again }: Props) {
  return (
    <div className="blocks">
      {environment && <Decide release={release} environment={environment} again={again} />}
      <section className="block">
        <h2>Votes</h2>
        <Table
          caption="Approvals and rejections"
          rows={release.approvals}
          keyOf={(approval) => `${approval.handle} ${approval.environment}`}
          empty={<p>Nobody has approved or declined yet.</p>}
          columns={[
            { head: 'Who', kind: 'row', cell: (approval) => approval.handle },
            { head: 'Role', cell: (approval) => approval.role ?? '' },
            { head: 'Environment', cell: (approval) => approval.environment },
            { head: 'When', cell: (approval) => <When at={approval.at} /> },
            { head: 'State', cell: (approval) => <Status state={stateOf(approval)} word={stateOf(approval) === 'void' ? 'Void' : approval.state === 'given' ? 'Approved, valid' : approval.state === 'rejected' ? 'Declined' : 'Withdrawn'} /> },
            { head: 'Because', kind: 'wide', cell: (approval) => approval.void_because ?? approval.comment ?? '' },
          ]}
        />
      </section>
      {!!release.refused_votes?.length && (
        <section className="block">
          <h2>Refused votes</h2>
          <p>Words that were not theirs to give. They count for nothing, and stay in the ledger.</p>
          <Table
            caption="Refused votes"
            rows={release.refused_votes}
            keyOf={(vote) => `${vote.handle} ${vote.environment} ${vote.word} ${vote.code} ${vote.manifest_digest}`}
            empty={null}
            columns={[
              { head: 'Who', kind: 'row', cell: (vote) => vote.handle },
              { head: 'Environment', cell: (vote) => vote.environment },
              { head: 'What', cell: (vote) => `${vote.word === 'rejected' ? 'Tried to decline' : 'Tried to approve'}, ${plural(vote.count, 'time')}` },
              { head: 'Last', cell: (vote) => <When at={vote.at} /> },
              { head: 'Refused with', kind: 'wide', cell: (vote) => refusedWith(vote.code) },
            ]}
          />
        </section>
      )}
    </div>
  )
}

/** Presses the button of a key, so that a refused one takes the focus and its reason is heard. */
function press(key: string) {
  const button = document.querySelector<HTMLButtonElement>(`main [aria-keyshortcuts='${key}']`)
  button?.focus()
  button?.click()
}

function Decide({ release, environment, again }: Props & { environment: ReleaseEnvironment }) {
  const me = useMe()
  const [word, setWord] = useState<Word>()
  const taking = useAction(again)
  const mine = release.approvals.find((one) => one.handle === me.handle && one.environment === environment.name && one.state !== 'withdrawn')
  const { approve, reject, withdraw_approval: withdraw } = environment.refusals ?? {}
  useShortcuts([
    { keys: 'a', does: `Approve for ${environment.name}`, act: () => press('a') },
    { keys: 'd', does: `Decline for ${environment.name}`, act: () => press('d') },
  ])
  return (
    <section className="block">
      <h2>Your word on {environment.name}</h2>
      <p>
        {mine
          ? `You have ${mine.state === 'given' ? 'approved' : 'declined'} this for ${environment.name}${mine.valid || mine.state !== 'given' ? '.' : ', but it no longer counts.'}`
          : `You see exactly what is approved before you say yes or no. Times and digests are those of this moment.`}
      </p>
      <div className="actions">
        <Button kind="primary" keys="a" refusal={approve} onClick={() => setWord('approve')}>
          Approve…
        </Button>
        <Button keys="d" refusal={reject} mute={!!approve && reject?.detail === approve.detail} onClick={() => setWord('decline')}>
          Decline…
        </Button>
        {mine && (
          <Button
            refusal={withdraw}
            busy={taking.busy}
            onClick={() => void taking.run(`${at`/v1/releases/${release.id}/approvals/mine`}?environment=${encodeURIComponent(environment.name)}`, { method: 'DELETE' })}
          >
            Take my word back
          </Button>
        )}
      </div>
      <RefusalNote refusal={taking.refusal} />
      {word && <DecideDialog word={word} release={release} environment={environment} onClose={() => setWord(undefined)} done={again} />}
    </section>
  )
}
