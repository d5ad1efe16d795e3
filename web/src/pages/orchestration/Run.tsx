// A live rollout: what it does now, where the traffic goes, old against new, and the way back.

import { useCallback, useEffect, useState } from 'react'
import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import type { Run } from '../../api/types'
import { Facts } from '../../parts/Facts'
import { Heading, Loaded } from '../../parts/Page'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { Link } from '../../router'
import { sentence } from '../../words/figures'
import { span } from '../../words/time'
import { CanaryPicture } from './Canary'
import { Resolve } from './Resolve'
import { Rollback } from './Rollback'
import { Steps } from './Steps'
import { Traffic } from './Traffic'

/** Readings are no facts and bring no event: while a run moves it is read every two seconds. */
const READ_MS = 2000

export function RunPage({ id }: { id: string }) {
  const concerns = useCallback((stream: string) => stream === `run/${id}`, [id])
  const [moving, setMoving] = useState(true)
  const run = useResource<Run>(at`/v1/runs/${id}`, concerns, moving ? READ_MS : undefined)
  const over = !!run.data?.finished
  useEffect(() => setMoving(!over), [over])
  return (
    <div className="page">
      <Loaded of={run} title="Run">{(data) => <View run={data} again={run.again} />}</Loaded>
    </div>
  )
}

function View({ run, again }: { run: Run; again: () => void }) {
  const what = run.purpose === 'build' ? `Build of ${run.service} ${run.version}` : `${run.service} ${run.version} → ${run.environment ?? ''}`
  const took = (run.finished ? Date.parse(run.finished) : Date.now()) - Date.parse(run.started)
  const unclear = run.steps.filter((step) => step.state === 'indeterminate')
  return (
    <>
      <div className="head">
        <Heading title={what} />
        <Status state={run.result ?? run.state} strong />
        {run.purpose !== 'build' && !run.finished && (
          <span className="head-end">
            <Rollback run={run} again={again} />
          </span>
        )}
      </div>
      <Facts
        facts={[
          ['Release', run.release && <Link to={at`/releases/${run.release}/deployments`}>{`${run.service} ${run.version}`}</Link>],
          ['Purpose', sentence(run.purpose)],
          ['Before it', run.previous_version],
          ['Started', <When key="s" at={run.started} zone={run.zone} />],
          [run.finished ? 'Took' : 'For', span(took)],
          ['By', run.by],
          ['Run', <code key="r">{run.id}</code>],
        ]}
      />
      {run.cause && (
        <div className={`cause ${run.state === 'held' ? 'held' : 'bad'}`} role="status">
          <Status state={run.state === 'held' ? 'held' : 'rolling-back'} word={run.state === 'held' ? 'Held because' : 'Turned back because'} />
          <p>
            {run.cause.sentence} <code className="code">{run.cause.code}</code>
          </p>
        </div>
      )}
      {unclear.map((step) => (
        <Resolve key={step.id} run={run} step={step} again={again} />
      ))}
      <Traffic run={run} />
      {run.canary && <CanaryPicture canary={run.canary} run={run} />}
      <Steps run={run} />
      <Instances run={run} />
    </>
  )
}

function Instances({ run }: { run: Run }) {
  if (run.purpose === 'build') return null
  return (
    <section className="block">
      <h2>Instances</h2>
      <Table
        caption="Instances that this run started"
        rows={run.instances}
        keyOf={(instance) => instance.name}
        empty={<p className="dim">None was started yet.</p>}
        columns={[
          { head: 'Instance', kind: 'row', cell: (instance) => instance.name },
          { head: 'Component', cell: (instance) => instance.component },
          { head: 'Version', cell: (instance) => instance.version ?? '' },
          { head: 'State', cell: (instance) => (instance.state ? <Status state={instance.state} /> : '') },
          { head: 'Address', cell: (instance) => <code>{instance.address}</code> },
          { head: 'Worker', cell: (instance) => instance.worker },
        ]}
      />
    </section>
  )
}
