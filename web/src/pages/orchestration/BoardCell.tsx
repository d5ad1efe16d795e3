// One service in one environment, in three lines.

import type { BoardCell } from '../../api/types'
import { Icon } from '../../parts/Icon'
import { Status } from '../../parts/Status'
import { Age } from '../../parts/When'
import { Link } from '../../router'
import { at } from '../../api/client'
import { verdictOf } from './filter'

const RESTING = new Set(['live', 'steady', 'none', 'empty'])

function gateWords(gates: { open: number; waiting: number; shut: number }): string {
  const all = gates.open + gates.waiting + gates.shut
  if (gates.shut) return `Shut ${gates.shut} of ${all}`
  if (gates.waiting) return `Waiting ${gates.waiting} of ${all}`
  return `Open ${all} of ${all}`
}

export function Cell({ cell, environment, service, zone }: { cell: BoardCell | undefined; environment: string; service: string; zone?: string | undefined }) {
  if (!cell || (!cell.version && !cell.next)) return <p className="nothing">Nothing yet</p>
  const { next } = cell
  const moving = !RESTING.has(cell.state)
  return (
    <div className="cell">
      <p className="runs">
        {cell.version ? (
          <>
            {cell.release ? (
              <Link to={at`/releases/${cell.release}`} aria-label={`${service} ${cell.version} in ${environment}`}>
                {cell.version}
              </Link>
            ) : (
              cell.version
            )}
            {cell.since && (
              <span className="dim">
                <Age at={cell.since} zone={zone} bare />
              </span>
            )}
          </>
        ) : (
          <span className="nothing">Nothing yet</span>
        )}
        {moving && (cell.run ? <Link to={at`/runs/${cell.run}`} className="plain"><Status state={cell.state} /></Link> : <Status state={cell.state} />)}
      </p>
      {next && (
        <>
          <p className="next">
            <Icon name="next" />
            <Link to={`${at`/releases/${next.release}/gates`}?environment=${encodeURIComponent(environment)}`} aria-label={`Gates of ${service} ${next.version} before ${environment}`}>
              {next.version}
            </Link>
            <Status state={verdictOf(cell)!} word={gateWords(next.gates)} />
          </p>
          {next.headline && (
            <p className="headline" title={next.headline}>
              {next.headline}
            </p>
          )}
        </>
      )}
    </div>
  )
}
