// Approve or decline, with exactly what is decided on. What was shown when the dialog opened is what is sent: where the
// release changes meanwhile, the dialog says so and sends nothing until it was looked at again.

import { useState, type FormEvent } from 'react'
import { useAction } from '../../api/action'
import { at } from '../../api/client'
import type { Release, ReleaseEnvironment } from '../../api/types'
import { Button } from '../../parts/Button'
import { Dialog } from '../../parts/Dialog'
import { DigestText } from '../../parts/DigestText'
import { TextField } from '../../parts/Field'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'
import { EvidenceTable } from '../validation/EvidenceList'
import { Components, Config, DifferenceTo } from '../planning/Contents'

export type Word = 'approve' | 'decline'

interface Props {
  word: Word
  release: Release
  environment: ReleaseEnvironment
  onClose: () => void
  done: () => void
}

export function DecideDialog({ word, release, environment, onClose, done }: Props) {
  const [seen, setSeen] = useState({ release, environment })
  const [comment, setComment] = useState('')
  const deciding = useAction(() => {
    done()
    onClose()
  })
  const { manifest_digest, evidence_root } = seen.environment.report
  const moved = manifest_digest !== environment.report.manifest_digest || evidence_root !== environment.report.evidence_root
  const name = `${seen.release.service} ${seen.release.version}`
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (moved) return
    const body = { environment: environment.name, manifest_digest, evidence_root, comment }
    void deciding.run(at`/v1/releases/${release.id}/${word === 'approve' ? 'approvals' : 'rejections'}`, { body })
  }
  return (
    <Dialog wide title={`${word === 'approve' ? 'Approve' : 'Decline'} ${name} for ${environment.name}`} onClose={onClose}>
      <form onSubmit={submit}>
        <What release={seen.release} environment={seen.environment} />
        <div className="decide-end">
          {moved && (
            <div className="refusal" role="alert">
              <p>This changed while you were reading it. Nothing is sent until you have looked at what it is now.</p>
              <button type="button" onClick={() => setSeen({ release, environment })}>
                Show what it is now
              </button>
            </div>
          )}
          <RefusalNote refusal={deciding.refusal} />
          <TextField label={word === 'approve' ? 'Comment (not required)' : 'Why not'} required={word === 'decline'} value={comment} onChange={(event) => setComment(event.target.value)} />
          <div className="actions">
            <Button
              kind={word === 'approve' ? 'primary' : 'danger'}
              type="submit"
              busy={deciding.busy}
              refusal={moved ? { code: '', detail: 'What you saw is no longer what would be decided on.' } : undefined}
            >
              {word === 'approve' ? 'Approve exactly this' : 'Decline'}
            </Button>
            <Button onClick={onClose}>Not now</Button>
          </div>
        </div>
      </form>
    </Dialog>
  )
}

function What({ release, environment }: { release: Release; environment: ReleaseEnvironment }) {
  const { report, last_approved, running } = environment
  const evidence = report.evidence ? release.evidence.filter((one) => report.evidence?.includes(one.digest)) : release.evidence
  const before = last_approved ?? running
  return (
    <div className="what">
      <dl className="bound">
        <div>
          <dt>Manifest digest</dt>
          <dd>
            <DigestText digest={report.manifest_digest} what="manifest digest" whole />
          </dd>
        </div>
        <div>
          <dt>Evidence root</dt>
          <dd>
            <DigestText digest={report.evidence_root} what="evidence root" whole />
          </dd>
        </div>
        <div>
          <dt>Gates now</dt>
          <dd>
            <Status state={report.verdict} /> {report.gates.filter((gate) => gate.state === 'open').length} of {report.gates.length} open
          </dd>
        </div>
      </dl>
      <h3>
        {last_approved ? 'Difference since last approved' : running ? `Never approved for ${environment.name}: difference to what runs there` : 'Difference'}
        {before?.version && <span className="dim"> ({before.version})</span>}
      </h3>
      {before ? <DifferenceTo release={release.id} from={before.manifest_digest} to={report.manifest_digest} /> : <p>The first one here: there is nothing to compare with.</p>}
      <h3>Components</h3>
      <Components manifest={release.manifest} />
      <h3>Configuration</h3>
      <Config manifest={release.manifest} />
      <h3>Evidence</h3>
      <EvidenceTable evidence={evidence} release={release} />
      <h3>Plan</h3>
      <dl className="bound">
        <div>
          <dt>Service definition</dt>
          <dd>
            <DigestText digest={release.manifest.definition.service} what="digest of the service definition" />
          </dd>
        </div>
        <div>
          <dt>Pipeline definition</dt>
          <dd>
            <DigestText digest={release.manifest.definition.pipeline} what="digest of the pipeline definition" />
          </dd>
        </div>
      </dl>
    </div>
  )
}
