// Where releases run: order, zone, pool, and the windows that bind.

import { useResource } from '../../api/resource'
import type { Environment, Window } from '../../api/types'
import { EnvironmentName } from '../../parts/EnvironmentName'
import { Facts } from '../../parts/Facts'
import { Heading, Loaded } from '../../parts/Page'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'

const concerns = (stream: string) => /^(environment|window|freeze)\//.test(stream)

export function Environments() {
  const environments = useResource<{ environments: Environment[] }>('/v1/environments', concerns)
  return (
    <div className="page">
      <Heading title="Environments" />
      <Loaded of={environments}>
        {(data) =>
          data.environments.length === 0 ? (
            <div className="empty">
              <p>No environment is declared yet.</p>
              <p>
                Write <code>environment: production</code> into a file of the organisation folder and run <code>holdpoint apply -f DIR</code>.
              </p>
            </div>
          ) : (
            <div className="blocks">
              {data.environments.map((environment) => (
                <One key={environment.name} environment={environment} />
              ))}
            </div>
          )
        }
      </Loaded>
    </div>
  )
}

function One({ environment }: { environment: Environment }) {
  return (
    <section className="block" aria-labelledby={`env-${environment.name}`}>
      <h2 id={`env-${environment.name}`}>
        <EnvironmentName name={environment.name} production={environment.production} />
      </h2>
      {environment.sentence && <p>{environment.sentence}</p>}
      <Facts
        facts={[
          ['Zone', environment.zone],
          ['Pool', environment.pool],
          ['Workers', environment.workers],
          ['Place on the board', environment.order],
        ]}
      />
      <Table<Window>
        caption={`Windows of ${environment.name}`}
        rows={environment.windows}
        keyOf={(window) => window.name}
        empty={<p className="dim">No window binds here: any time.</p>}
        columns={[
          { head: 'Window', kind: 'row', cell: (window) => window.name },
          { head: 'Kind', cell: (window) => <Status state={window.kind === 'deny' ? 'shut' : 'open'} word={window.kind === 'deny' ? 'Denies' : 'Allows'} /> },
          { head: 'When', kind: 'wide', cell: (window) => window.sentence ?? <code>{`${window.rule}, ${window.duration} from ${window.start.slice(11, 16)}`}</code> },
          { head: 'Zone', cell: (window) => window.zone ?? environment.zone },
        ]}
      />
    </section>
  )
}
