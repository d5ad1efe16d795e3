// The way through the environments: what runs there, the verdict of the gates, and the two buttons.

import { at } from '../../api/client'
import { useAction } from '../../api/action'
import type { Release, ReleaseEnvironment } from '../../api/types'
import { Button } from '../../parts/Button'
import { EnvironmentName } from '../../parts/EnvironmentName'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'
import { Age, When } from '../../parts/When'
import { go, Link } from '../../router'
import { headlineOf } from '../governance/headline'

interface Props {
  release: Release
  now: string | undefined
  section: string
  again: () => void
}

export function Stages({ release, now, section, again }: Props) {
  return (
    <section aria-labelledby="stages">
      <h2 id="stages" className="unseen">
        Environments
      </h2>
      <ol className="stages">
        {release.environments.map((environment) => (
          <Stage key={environment.name} release={release} environment={environment} now={environment.name === now} section={section} again={again} />
        ))}
      </ol>
    </section>
  )
}

function Stage({ release, environment, now, section, again }: Omit<Props, 'now'> & { environment: ReleaseEnvironment; now: boolean }) {
  const { name, report, running } = environment
  const here = running?.manifest_digest === release.manifest_digest
  const open = report.gates.filter((gate) => gate.state === 'open').length
  return (
    <li className={now ? 'stage now' : 'stage'}>
      <h3>
        <Link data-row="" to={`${at`/releases/${release.id}/${section}`}?environment=${encodeURIComponent(name)}`} aria-current={now ? 'true' : undefined}>
          <EnvironmentName name={name} production={environment.production} />
        </Link>
      </h3>
      <p className="runs">
        {running ? (
          <>
            {here ? <Status state="live" word="Runs here" /> : `Runs ${running.version ?? 'another version'}`}{' '}
            <span className="dim">
              <Age at={running.at} zone={environment.zone} />
            </span>
          </>
        ) : (
          <span className="nothing">Nothing runs here</span>
        )}
      </p>
      <p>
        <Status state={report.verdict} /> <span className="dim">{`${open} of ${report.gates.length} gates open`}</span>
      </p>
      <p className="headline">{headlineOf(report)}</p>
      {report.next_start && (
        <p className="dim">
          Next possible start: <When at={report.next_start} zone={environment.zone} />
        </p>
      )}
      {environment.wanted_by && <p className="dim">Promotion asked for by {environment.wanted_by}; it starts when every gate is open.</p>}
      {environment.run && (
        <p>
          <Link to={at`/runs/${environment.run}`}>Latest run</Link> {environment.state && <Status state={environment.state} />}
        </p>
      )}
      <Buttons release={release} environment={environment} again={again} />
    </li>
  )
}

/** What the server would answer. Where it did not say, the gates' own headline stands for it. */
function refusalOf(environment: ReleaseEnvironment, what: 'promote' | 'deploy') {
  const { refusals, report } = environment
  if (refusals) return refusals[what]
  if (report.verdict === 'open' || (what === 'promote' && report.verdict === 'waiting')) return undefined
  return { code: '', detail: headlineOf(report) }
}

function Buttons({ release, environment, again }: { release: Release; environment: ReleaseEnvironment; again: () => void }) {
  const promoting = useAction(again)
  const deploying = useAction<{ run?: string }>((answer) => (answer?.run ? go(at`/runs/${answer.run}`) : again()))
  const body = { environment: environment.name }
  const promote = refusalOf(environment, 'promote')
  const deploy = refusalOf(environment, 'deploy')
  const said = headlineOf(environment.report)
  return (
    <div className="stage-actions">
      <Button busy={promoting.busy} refusal={promote} mute={promote?.detail === said || promote?.detail === deploy?.detail} onClick={() => void promoting.run(at`/v1/releases/${release.id}/promotions`, { body })}>
        Promote<span className="unseen"> to {environment.name} when its gates are open</span>
      </Button>
      <Button busy={deploying.busy} refusal={deploy} mute={deploy?.detail === said} onClick={() => void deploying.run(at`/v1/releases/${release.id}/deployments`, { body })}>
        Deploy now<span className="unseen"> to {environment.name}</span>
      </Button>
      <RefusalNote refusal={promoting.refusal ?? deploying.refusal} />
    </div>
  )
}
