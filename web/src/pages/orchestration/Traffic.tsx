// Where the traffic goes, and what both versions answered.

import type { Run, VersionTraffic } from '../../api/types'
import { Table } from '../../parts/Table'
import { count, percent } from '../../words/figures'

export function Traffic({ run }: { run: Run }) {
  const components = Object.entries(run.weights)
  if (components.length === 0) return null
  return (
    <section className="block">
      <h2>Traffic</h2>
      <ul className="weights">
        {components.map(([component, versions]) => (
          <li key={component}>
            <span>{component}</span>
            <Bar versions={versions} now={run.version} />
            <span className="number">
              {Object.entries(versions)
                .map(([version, share]) => `${version} ${share} %`)
                .join(' · ')}
            </span>
          </li>
        ))}
      </ul>
      {run.traffic && run.traffic.length > 0 && <Answers traffic={run.traffic} />}
    </section>
  )
}

function Bar({ versions, now }: { versions: Record<string, number>; now: string }) {
  const share = versions[now] ?? 0
  return (
    <svg className="weight" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect className="old" width="100" height="10" />
      <rect className="new" width={share} height="10" />
    </svg>
  )
}

function Answers({ traffic }: { traffic: VersionTraffic[] }) {
  const ms = (value: number | undefined) => (value === undefined ? '-' : `${value < 10 ? value.toFixed(1) : count(Math.round(value))} ms`)
  return (
    <Table
      caption="Old against new"
      rows={traffic}
      keyOf={(row) => `${row.component ?? ''} ${row.version}`}
      columns={[
        { head: 'Version', kind: 'row', cell: (row) => `${row.component ? `${row.component} ` : ''}${row.version} (${row.side})` },
        { head: 'Requests', kind: 'number', cell: (row) => count(row.requests) },
        { head: 'Errors', kind: 'number', cell: (row) => `${count(row.errors)} of ${count(row.requests)}` },
        { head: 'Share', kind: 'number', cell: (row) => percent(row.errors, row.requests) },
        { head: 'Median', kind: 'number', cell: (row) => ms(row.p50_ms) },
        { head: 'p99', kind: 'number', cell: (row) => ms(row.p99_ms) },
      ]}
    />
  )
}
