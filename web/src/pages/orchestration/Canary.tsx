// The comparison of two versions: the evidence against "no harm" on its way to the limit, per metric, as picture and table.

import { useCallback, useState } from 'react'
import type { Canary, CanaryMetric, Run } from '../../api/types'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { odds, percent, sentence, share } from '../../words/figures'
import { clock } from '../../words/time'
import { chart, HEIGHT, LEFT } from './chart'

export function CanaryPicture({ canary, run }: { canary: Canary; run: Run }) {
  return (
    <section className="block">
      <div className="head">
        <h2>Comparison</h2>
        <Status state={canary.verdict} strong />
      </div>
      {canary.sentence && <p>{canary.sentence}</p>}
      <div className="metrics">
        {canary.metrics.map((metric) => (
          <Metric key={metric.metric} metric={metric} run={run} />
        ))}
      </div>
    </section>
  )
}

function Metric({ metric, run }: { metric: CanaryMetric; run: Run }) {
  const { baseline, candidate } = metric
  return (
    <figure className="metric">
      <figcaption>
        <h3>{sentence(metric.metric)}</h3>
        <Status state={metric.verdict} />
        <p>
          {run.version}: {share(candidate.k, candidate.n)} ({percent(candidate.k, candidate.n)}) · {run.previous_version ?? 'before'}: {share(baseline.k, baseline.n)} (
          {percent(baseline.k, baseline.n)})
        </p>
        <p className="number">
          Evidence {odds(metric.evidence)}, limit {odds(metric.limit)}
          {metric.estimate !== undefined && `, estimate × ${metric.estimate.toFixed(2)}`}
        </p>
      </figcaption>
      <Picture metric={metric} />
      <details>
        <summary>As a table</summary>
        <div className="scroll" tabIndex={0} role="region" aria-label={`Points of ${metric.metric}`}>
          <Table
            caption={`Evidence of ${metric.metric} over time`}
            rows={metric.points}
            keyOf={(point) => point.at}
            empty={<p>No point yet.</p>}
            columns={[
              { head: 'Time', kind: 'row', cell: (point) => clock(point.at) },
              { head: 'Evidence', kind: 'number', cell: (point) => odds(point.evidence) },
              { head: 'Estimate', kind: 'number', cell: (point) => (point.estimate === undefined ? '-' : `× ${point.estimate.toFixed(2)}`) },
              { head: 'Crossed', cell: (point) => (point.evidence >= metric.limit ? 'yes' : 'no') },
            ]}
          />
        </div>
      </details>
    </figure>
  )
}

function Picture({ metric }: { metric: CanaryMetric }) {
  const [width, setWidth] = useState(420)
  const measure = useCallback((box: HTMLDivElement | null) => {
    if (!box) return
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(200, Math.floor(entry.contentRect.width))))
    watch.observe(box)
    return () => watch.disconnect()
  }, [])
  if (metric.points.length < 2) return <p className="dim picture">A picture needs two points; the first intervals are being measured.</p>
  const { line, limit, ticks, crossed, from, to } = chart(metric.points, metric.limit, width)
  return (
    <div ref={measure} className="picture">
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={`Evidence of ${metric.metric}: ${odds(metric.evidence)}, limit ${odds(metric.limit)}, ${crossed ? `crossed at ${clock(crossed.at)}` : 'not crossed'}`}
      >
        {ticks.map(({ y, value }) => (
          <g key={value}>
            <line className="grid" x1={LEFT} x2={width} y1={y} y2={y} />
            <text x={LEFT - 6} y={y + 4} textAnchor="end">
              {`1 : ${value}`}
            </text>
          </g>
        ))}
        <line className="limit" x1={LEFT} x2={width} y1={limit} y2={limit} />
        <text className="limit-word" x={LEFT + 6} y={limit - 5}>
          {`limit ${odds(metric.limit)}`}
        </text>
        <path className={crossed ? 'line bad' : 'line'} d={line} />
        {crossed && <circle className="crossing" cx={crossed.x} cy={crossed.y} r="4" />}
        <text x={LEFT} y={HEIGHT - 4}>
          {clock(from)}
        </text>
        <text x={width} y={HEIGHT - 4} textAnchor="end">
          {clock(to)}
        </text>
      </svg>
    </div>
  )
}
