// The runs of a release, newest first.

import { at } from '../../api/client'
import type { Release } from '../../api/types'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { Link } from '../../router'
import { sentence } from '../../words/figures'
import { span } from '../../words/time'

export function Deployments({ release }: { release: Release }) {
  return (
    <section className="block">
      <h2>Deployments</h2>
      <Table
        caption="Runs of this release"
        rows={release.runs}
        keyOf={(run) => run.id}
        empty={<p>It was not deployed yet. When the gates of an environment are open, promote it there.</p>}
        columns={[
          {
            head: 'Run',
            kind: 'row',
            cell: (run) => (
              <Link data-row="" to={at`/runs/${run.id}`}>
                {sentence(run.purpose)}
                {run.environment && ` to ${run.environment}`}
              </Link>
            ),
          },
          { head: 'State', cell: (run) => <Status state={run.result ?? run.state} /> },
          { head: 'Started', cell: (run) => <When at={run.started} /> },
          { head: 'Took', kind: 'number', cell: (run) => (run.finished ? span(Date.parse(run.finished) - Date.parse(run.started)) : 'still going') },
          { head: 'By', cell: (run) => run.by ?? '' },
          { head: 'Because', kind: 'wide', cell: (run) => run.cause?.sentence ?? '' },
        ]}
      />
    </section>
  )
}
